"""From Whop's payouts to rows of ``payouts`` and ``payout_lines``."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import cast

import orjson

from creator_pipeline.core.json_fields import FieldReader, Json, stored
from creator_pipeline.core.money import from_decimal
from creator_pipeline.ledger.payouts import PayoutRow
from creator_pipeline.platforms.whop import money_catalog as catalog

FIELDS = FieldReader("Whop", "The API may have changed; the others were stored.", absent_is_null=True)


def payout_row(profile_id: str, payout: Json, moment: datetime) -> PayoutRow:
    """The row of one payout as the API tells it; what it took from the balance is not known yet.

    Where it is converted, the amount is what arrives, and the rate is as it is printed.

    Args:
        profile_id: whose account.
        payout: as the API tells it.
        moment: of the load.

    Raises:
        DataError: a key that matters is missing or has another type.
    """
    what = "payout"
    own, net = FIELDS.text(what, payout, "currency").upper(), _decimal(payout, "net_amount")
    arriving = (FIELDS.optional_text(what, payout, "destination_currency") or own).upper()
    converted = arriving != own and payout.get("destination_amount") is not None
    rate = payout.get("exchange_rate")
    if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int | float)):
        raise FIELDS.bad(what, payout, "exchange_rate", "a number or null")
    status = FIELDS.text(what, payout, "status")
    own_fee(payout)
    return PayoutRow(
        provider="whop",
        profile_id=profile_id,
        payout_id=FIELDS.text(what, payout, "id"),
        amount_micros=_decimal(payout, "destination_amount") if converted else net,
        currency=arriving if converted else own,
        status=status,
        state=catalog.STATES.get(status, "on_the_way"),
        created_at=FIELDS.time(what, payout, "created_at"),
        processed_at=None,
        period_end=None,
        balance_micros=None,
        balance_currency=own,
        withheld_micros=0,
        rate=f"{Decimal(repr(rate)):f}" if converted and rate is not None else None,
        released_on=_returned_on(payout),
        estimated=True,
        lines_read_at=None,
        differs=None,
        raw=_raw(payout),
        first_seen_at=moment,
        ingested_at=moment,
    )


def net_micros(payout: Json) -> int:
    """What a payout takes from the balance beside its fee, as the payout tells it."""
    return _decimal(payout, "net_amount")


def own_fee(payout: Json) -> int:
    """What the account pays for a payout: fee and markup, in micros; 0 where the platform pays."""
    if payout.get("fee_paid_by") == "platform":
        return 0
    return sum(_decimal(payout, key) for key in ("fee_amount", "markup_fee") if payout.get(key) is not None)


def own_fee_of(row: PayoutRow) -> int:
    """What the account pays for a stored payout."""
    return own_fee(orjson.loads(row.raw))


def difference(stored_row: PayoutRow, read: PayoutRow) -> str | None:
    """What a later reading of a completed payout says otherwise, in words; None where it says the same.

    That it came back is its fate, no difference.
    """
    said = [
        f"{name}: {getattr(stored_row, name)} was read, now {getattr(read, name)}"
        for name in ("amount_micros", "currency", "balance_currency", "rate", "created_at")
        if getattr(stored_row, name) != getattr(read, name)
    ]
    return "; ".join(said) or None


def _decimal(payout: Json, key: str) -> int:
    text = FIELDS.text("payout", payout, key)
    try:
        return from_decimal(text)
    except ValueError:
        raise FIELDS.bad("payout", payout, key, "exact decimal text") from None


def _returned_on(payout: Json) -> date | None:
    failure = payout.get("failure")
    if not isinstance(failure, dict):
        return None
    at = FIELDS.optional_time("payout's failure", cast("Json", failure), "funds_returned_at")
    return at.date() if at else None


def _raw(payout: Json) -> str:
    kept = dict(payout)
    failure = payout.get("failure")
    if isinstance(failure, dict):
        told = cast("Json", failure)
        kept["failure_code"], kept["funds_returned_at"] = told.get("code"), told.get("funds_returned_at")
    return stored(
        kept, catalog.PAYOUT_KEPT | {"failure_code", "funds_returned_at"}, catalog.PAYOUT_DROPPED, ordered=True
    )
