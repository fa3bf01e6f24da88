"""What the payments of a report come to: how many have which status, and what the bank got."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from creator_pipeline.core.money import to_text
from creator_pipeline.platforms.kdp.payment_models import Payment

_STATES = {"paid": "paid", "on_the_way": "pending", "released": "failed"}


def told(payments: Iterable[Payment]) -> dict[str, object]:
    """JSON of some payments: their number, that of the rows below them, and the amounts by currency as text.

    ``statuses`` are counted in Amazon's own words, and ``paid``, ``pending`` and ``failed`` as they count here.
    ``paid_by_currency`` is in the currencies of the bank. Pending payments whose rate the bank hasn't told are in the
    marketplaces' currencies.
    """
    counts, statuses, paid, pending = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    other, rows = set[str](), 0
    for each in payments:
        counts[_STATES[each.state]] += 1
        statuses[each.status] += 1
        rows += len(each.details)
        if not each.known_status:
            other.add(each.status)
        if each.state == "paid" and each.payout_micros is not None:
            paid[each.payout_currency] += each.payout_micros
        elif each.state != "released":
            pending[each.currency] += each.net_micros
    return {
        "payments": counts.total(),
        "detail_rows": rows,
        "statuses": dict(sorted(statuses.items())),
        **{word: counts[word] for word in _STATES.values()},
        "unknown_statuses": sorted(other),
        "paid_by_currency": _texts(paid),
        "pending_by_currency": _texts(pending),
    }


def withheld_percent(payment: Payment) -> str:
    """The share of a payment's royalty that was withheld, for people; empty where nothing was."""
    if not payment.withheld_micros or not payment.accrued_micros:
        return ""
    return f"{Decimal(payment.withheld_micros) * 100 / payment.accrued_micros:.2f} %"


def _texts(sums: Counter[str]) -> dict[str, str]:
    return {code: to_text(micros, code) for code, micros in sorted(sums.items())}
