"""How the payments of an upload are shown in the UI."""

from __future__ import annotations

from typing import Any

from creator_pipeline.core.money import to_text
from creator_pipeline.core.text import number
from creator_pipeline.platforms.kdp.cells import safe_cell
from creator_pipeline.platforms.kdp.ingest import Ingested
from creator_pipeline.platforms.kdp.payment_models import Payment
from creator_pipeline.platforms.kdp.payments_told import told, withheld_percent
from creator_pipeline.platforms.kdp.payouts import implied_rate
from creator_pipeline.runtime.describe import PREVIEW_ROWS, preview

_HEADER = ("day", "shop", "number", "status", "net", "currency", "withheld", "rate", "payout", "in")


def payments_metadata(done: Ingested) -> dict[str, Any]:
    """Metadata of an upload's payments: its own, and how many of the profile's payments it tells now.

    A share withheld that changes from one payment of a marketplace to the next is told: a tax form that lapsed does
    that.
    """
    own = done.report.payments if done.report else ()
    counts = [each for each in done.paid.chosen if each.reading.upload_id == done.file.upload_id]
    newest = sorted(own, key=lambda each: (each.paid_on is None, each.paid_on or each.period_end), reverse=True)
    shown: dict[str, Any] = {}
    for name, value in told(own).items():
        if name == "statuses":
            continue
        if isinstance(value, dict):
            shown |= {f"{name.removesuffix('_by_currency')}_{code}": amount for code, amount in value.items()}
        elif isinstance(value, list):
            shown |= {name: ", ".join(map(safe_cell, value))} if value else {}
        else:
            shown[name] = value
    if changes := _withholding_changes(done):
        shown["withholding_changed"] = "; ".join(changes[-PREVIEW_ROWS:])
    return {
        **shown,
        "counts_for": f"{len(counts)} of the profile's {number(len(done.paid.chosen), 'payment')}",
        "preview": preview(_HEADER, map(_line, newest[:PREVIEW_ROWS])),
        **done.paid.payouts.metadata(),
    }


def _line(payment: Payment) -> tuple[object, ...]:
    rate = payment.fx_rate and f"{payment.fx_rate} ({implied_rate(payment)})"
    paid = (
        payment.payout_text
        if payment.payout_micros is None
        else to_text(payment.payout_micros, payment.payout_currency)
    )
    return (
        payment.paid_on,
        safe_cell(payment.marketplace),
        safe_cell(payment.number),
        safe_cell(payment.status),
        to_text(payment.net_micros, payment.currency),
        payment.currency,
        withheld_percent(payment),
        safe_cell(rate or ""),
        safe_cell(paid or ""),
        payment.payout_currency,
    )


def _withholding_changes(done: Ingested) -> list[str]:
    last, changes = dict[str, str](), list[str]()
    paid = [each.payment for each in done.paid.chosen if each.payment.state == "paid" and each.payment.paid_on]
    for payment in sorted(paid, key=lambda each: (each.paid_on or each.period_end, each.number)):
        share = withheld_percent(payment) or "0.00 %"
        before = last.get(payment.marketplace, share)
        if before != share:
            changes.append(f"{safe_cell(payment.marketplace)} {payment.paid_on}: {before}, then {share}")
        last[payment.marketplace] = share
    return changes
