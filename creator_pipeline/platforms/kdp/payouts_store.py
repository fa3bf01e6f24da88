"""Stores the rows of Payments reports, and makes payouts, their lines and their ledger rows of all that are stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, and_, func, select

from creator_pipeline.core.windows import now
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.ledger.replace import replace_events
from creator_pipeline.platforms.kdp.ledger import PLATFORM
from creator_pipeline.platforms.kdp.models import PAYMENTS, Report
from creator_pipeline.platforms.kdp.payment_choice import Chosen, Reading, choose
from creator_pipeline.platforms.kdp.payment_models import Detail, Payment
from creator_pipeline.platforms.kdp.payouts import ADJUSTMENT, ledger_events, line_rows, payout_row
from creator_pipeline.store.load import Change, replace, row_of
from creator_pipeline.store.tables import kdp_payments, kdp_uploads, payout_lines, payouts


@dataclass(frozen=True)
class Paid:
    """All payments of a profile after a rewrite, and what changed in the tables."""

    chosen: Sequence[Chosen] = ()
    events: Sequence[LedgerEvent] = ()
    payouts: Change = field(default_factory=Change)
    lines: Change = field(default_factory=Change)
    ledger: Change = field(default_factory=Change)


def store_payments(connection: Connection, profile_id: str, upload_id: str, report: Report) -> Change:
    """Make the stored rows of one upload equal to its report.

    Args:
        connection: in a transaction.
        profile_id: owner.
        upload_id: of the report.
        report: what was read.
    """
    here, what = kdp_payments.c.upload_id == upload_id, f"kdp/payments of {profile_id}"
    rows = list(_rows(profile_id, upload_id, report.payments))
    return replace(connection, kdp_payments, rows, here, what=what, allow_shrink=True)


def rewrite_payouts(connection: Connection, profile_id: str) -> Paid:
    """Make payouts, their lines, and the ledger's adjustments equal to what all stored Payments reports say."""
    chosen, moment = read_payouts(connection, profile_id), now()
    events = [event for each in chosen for event in ledger_events(profile_id, each, moment)]
    heads = _replace(connection, payouts, profile_id, [payout_row(profile_id, each, moment) for each in chosen])
    made_of = [row for each in chosen for row in line_rows(profile_id, each)]
    lines = _replace(connection, payout_lines, profile_id, made_of)
    ledger = replace_events(
        connection,
        PLATFORM,
        profile_id,
        lambda columns: columns.event_type == ADJUSTMENT,
        events,
        what=f"adjustments of {profile_id}",
        allow_shrink=True,
    )
    return Paid(chosen, events, heads, lines, ledger)


def _replace(connection: Connection, table: Table, profile_id: str, rows: Sequence[tuple[Any, ...]]) -> Change:
    mine = and_(table.c.provider == PLATFORM, table.c.profile_id == profile_id)
    # What goes away was decided payment by payment; the check that counts rows would decide it again.
    return replace(connection, table, rows, mine, what=f"{table.name} of {profile_id}", allow_shrink=True)


def read_payouts(connection: Connection, profile_id: str) -> list[Chosen]:
    """Every payment of a profile once, by all Payments reports that are stored."""
    return choose(_readings(connection, profile_id))


def unread_uploads(connection: Connection, profile_id: str) -> int:
    """Number of Payments reports that were taken before their rows were stored."""
    uploads, rows = kdp_uploads.c, kdp_payments.c
    stored = select(rows.upload_id).where(rows.profile_id == profile_id)
    mine = (uploads.profile_id == profile_id, uploads.kind == PAYMENTS, uploads.slices.is_not(None))
    return connection.execute(
        select(func.count()).select_from(kdp_uploads).where(*mine, uploads.rows > 0, uploads.id.not_in(stored))
    ).scalar_one()


def _rows(profile_id: str, upload_id: str, payments: Sequence[Payment]) -> Iterator[tuple[Any, ...]]:
    for payment in payments:
        values = payment._asdict()
        values |= {
            "payment_number": values.pop("number") or None,
            "payment_method": values.pop("method"),
            "payment_status": values.pop("status"),
        }
        del values["details"]
        head = {"upload_id": upload_id, "profile_id": profile_id, "payment_row": payment.source_row}
        yield row_of(kdp_payments, {**values, **head})
        for detail in payment.details:
            yield row_of(kdp_payments, {**detail._asdict(), **head, "marketplace": payment.marketplace})


def _readings(connection: Connection, profile_id: str) -> list[Reading]:
    columns, uploads = kdp_payments.c, kdp_uploads.c
    rows = connection.execute(
        select(kdp_payments, uploads.snapshot_at)
        .join(kdp_uploads, uploads.id == columns.upload_id)
        .where(columns.profile_id == profile_id, uploads.slices.is_not(None))
        .order_by(columns.upload_id, columns.source_row)
    ).all()
    details: defaultdict[tuple[str, int], list[Detail]] = defaultdict(list)
    for row in rows:
        if row.source_row != row.payment_row:
            details[row.upload_id, row.payment_row].append(
                Detail(
                    row.source_row,
                    row.month,
                    row.currency,
                    row.accrued_micros,
                    row.withheld_micros,
                    row.adjustments_micros,
                    row.net_micros,
                    row.source or "",
                )
            )
    return [
        Reading(
            Payment(
                row.source_row,
                row.period_start,
                row.period_end,
                row.marketplace,
                row.payment_number or "",
                row.paid_on,
                row.payment_method,
                row.currency,
                row.accrued_micros,
                row.withheld_micros,
                row.adjustments_micros,
                row.net_micros,
                row.fx_rate,
                row.payout_currency,
                row.payout_micros,
                row.payout_text,
                row.payment_status or "",
                tuple(details[row.upload_id, row.source_row]),
            ),
            row.upload_id,
            row.snapshot_at,
        )
        for row in rows
        if row.source_row == row.payment_row
    ]
