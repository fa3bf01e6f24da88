"""Makes the rows of a payment: the payout, what it is made of, and what of it is the ledger's. Pure.

Royalties are in the ledger by the royalty reports. A payment's own are its adjustments, which no other report has. A
payment takes from the balance what accrued and its adjustments: the net earnings for the bank, and beside them the
income tax that was kept.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import orjson

from creator_pipeline.core.money import decimals, to_text
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.platforms.kdp.ledger import PARTITION_DIGITS, PLATFORM
from creator_pipeline.platforms.kdp.payment_choice import Chosen
from creator_pipeline.platforms.kdp.payment_models import Detail, Payment
from creator_pipeline.store.load import row_of
from creator_pipeline.store.tables import payout_lines, payouts

ADJUSTMENT = "adjustment"
_NO_BREAKDOWN = "the report has no rows below this payment"


def details_of(payment: Payment) -> tuple[Detail, ...]:
    """The rows below a payment; where there are none and it covers one month, what it says of that month itself."""
    if payment.details or payment.period_start.replace(day=1) != payment.period_end.replace(day=1):
        return payment.details
    month, amounts = payment.period_start.replace(day=1), (payment.accrued_micros, payment.withheld_micros)
    return (Detail(payment.source_row, month, payment.currency, *amounts, 0, payment.net_micros, ""),)


def minor_unit(currency: str) -> int:
    """Micros of a currency's smallest unit: a cent, a yen."""
    return int(10 ** (6 - decimals(currency)))


def implied_rate(payment: Payment) -> Decimal | None:
    """Payout ÷ net earnings, to six digits after the point; None where there is no payout or nothing was earned."""
    if payment.payout_micros is None or not payment.net_micros:
        return None
    return (Decimal(payment.payout_micros) / payment.net_micros).quantize(Decimal("0.000001"))


def settled_on(chosen: Chosen) -> date:
    """The day of a payment; while it has none, that of the report that first listed it."""
    return chosen.payment.paid_on or chosen.first_at.date()


def adjustment_id(profile_id: str, chosen: Chosen) -> str:
    """Id of the ledger row of a payment's adjustments."""
    return f"{PLATFORM}:{profile_id}:{ADJUSTMENT}:{chosen.payout_id}"


def counts_adjustment(payment: Payment) -> bool:
    """Whether the payment's adjustments are the ledger's. Those of a failed one come again with its repeat."""
    return bool(payment.adjustments_micros) and payment.state != "released"


def ledger_events(profile_id: str, chosen: Chosen, moment: datetime) -> list[LedgerEvent]:
    """The rows of the ledger that no royalty report brings.

    Args:
        profile_id: owner.
        chosen: the payment.
        moment: of the writing.
    """
    payment = chosen.payment
    if not counts_adjustment(payment):
        return []
    day, micros = settled_on(chosen), payment.adjustments_micros
    name = f"Adjustment of a payment of {payment.marketplace}"
    return [
        LedgerEvent(
            id=adjustment_id(profile_id, chosen),
            profile_id=profile_id,
            platform=PLATFORM,
            event_type=ADJUSTMENT,
            external_id=chosen.payout_id,
            product_id=None,
            product_name=name,
            occurred_at=datetime.combine(day, time(), UTC),
            occurred_on=day,
            quantity=0,
            gross_micros=micros,
            fee_micros=0,
            net_micros=micros,
            currency=payment.currency,
            source=chosen.reading.upload_id[:PARTITION_DIGITS],
            first_seen_at=moment,
            ingested_at=moment,
        )
    ]


def line_rows(profile_id: str, chosen: Chosen) -> list[tuple[Any, ...]]:
    """Rows of ``payout_lines``, in the order of its columns.

    They add up to what the payment took from the balance for the bank. Where both currencies are one, the part of a
    cent that the bank doesn't get is a line too.
    """
    payment, day = chosen.payment, settled_on(chosen)
    lines: list[dict[str, Any]] = [
        {
            "type": each.source or "Accrued Royalty",
            "reason": f"royalties of {each.month:%Y-%m} {payment.marketplace}"
            + ("" if payment.details else f": {_NO_BREAKDOWN}"),
            "gross_micros": each.accrued_micros,
            "net_micros": each.accrued_micros,
            "occurred_on": each.month,
        }
        for each in details_of(payment)
    ]
    if payment.withheld_micros:
        tax = {"type": "Tax Withholding", "reason": "income tax that was withheld"}
        lines.append({**tax, "net_micros": -payment.withheld_micros, "occurred_on": day})
    if payment.adjustments_micros:
        mine = counts_adjustment(payment)
        lines.append(
            {
                "type": "Adjustments",
                "ledger_id": adjustment_id(profile_id, chosen) if mine else None,
                "reason": None if mine else "comes again with the repeat of this failed payment",
                "net_micros": payment.adjustments_micros,
                "occurred_on": day,
            }
        )
    total = sum(line["net_micros"] for line in lines)
    rest = 0 if payment.payout_micros is None else payment.payout_micros - total
    if lines and payment.payout_currency == payment.currency and 0 < abs(rest) < minor_unit(payment.currency):
        rounding = {"type": "Rounding", "reason": "the bank gets whole cents", "net_micros": rest, "occurred_on": day}
        lines.append(rounding)
    head = {"provider": PLATFORM, "profile_id": profile_id, "payout_id": chosen.payout_id}
    return [
        row_of(payout_lines, {**head, "line": number, "currency": payment.currency, **line})
        for number, line in enumerate(lines, 1)
    ]


def payout_row(profile_id: str, chosen: Chosen, moment: datetime) -> tuple[Any, ...]:
    """The row of ``payouts``.

    Until the bank has told its rate, the amount is the net earnings in the marketplace's currency. A failed payment's
    money was back on its own day: the report tells no other.

    Args:
        profile_id: owner.
        chosen: the payment.
        moment: of the writing.
    """
    payment, reading = chosen.payment, chosen.reading
    known = payment.payout_micros is not None
    lines = sum(row[_NET] for row in line_rows(profile_id, chosen))
    off = abs(lines - payment.net_micros)
    # The lines are exact where net earnings have more digits than are stored.
    exact = off < minor_unit(payment.currency) if payment.payout_currency == payment.currency else off <= 10
    taken = lines if exact else payment.net_micros
    made = datetime.combine(payment.paid_on, time(), UTC) if payment.paid_on else chosen.first_at
    return row_of(
        payouts,
        {
            "provider": PLATFORM,
            "profile_id": profile_id,
            "payout_id": chosen.payout_id,
            "amount_micros": payment.payout_micros if known else taken,
            "currency": payment.payout_currency if known else payment.currency,
            "status": payment.status,
            "state": payment.state,
            "created_at": made,
            "processed_at": made if payment.paid_on and payment.state == "paid" else None,
            "period_end": payment.period_end,
            "balance_micros": taken,
            "balance_currency": payment.currency,
            "withheld_micros": payment.withheld_micros,
            "rate": payment.fx_rate,
            "released_on": settled_on(chosen) if payment.state == "released" else None,
            "estimated": not payment.details,
            "lines_read_at": reading.snapshot_at,
            "differs": chosen.differs or None,
            "raw": orjson.dumps(_raw(chosen)).decode(),
            "first_seen_at": moment,
            "ingested_at": moment,
        },
    )


_NET = list(payout_lines.c.keys()).index("net_micros")


def _raw(chosen: Chosen) -> dict[str, str | int | None]:
    payment, code = chosen.payment, chosen.payment.currency
    rate = implied_rate(payment)
    return {
        "upload": chosen.reading.upload_id[:PARTITION_DIGITS],
        "row": payment.source_row,
        "marketplace": payment.marketplace,
        "payment_number": payment.number or None,
        "period": f"{payment.period_start}/{payment.period_end}",
        "date": payment.paid_on.isoformat() if payment.paid_on else None,
        "payment_method": payment.method,
        "accrued_royalty": to_text(payment.accrued_micros, code),
        "tax_withholding": to_text(payment.withheld_micros, code),
        "adjustments": to_text(payment.adjustments_micros, code),
        "net_earnings": to_text(payment.net_micros, code),
        "fx_rate": payment.fx_rate,
        "implied_rate": None if rate is None or payment.payout_currency == code else f"{rate:f}",
        "payout_currency": payment.payout_currency,
        "payout_amount": payment.payout_text
        if payment.payout_micros is None
        else to_text(payment.payout_micros, payment.payout_currency),
    }
