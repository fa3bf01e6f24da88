"""Decides which reading of a payment counts where several Payments reports list it. Pure; their order doesn't matter.

A payment is known by its marketplace and number, and while it has no number by its marketplace and period. The newest
report that lists a payment tells it; a report that lacks it takes nothing away, because its range was chosen by hand.
A pending reading never undoes one that was settled, and a reading whose breakdown was cut off never replaces a whole
one. When the number arrives the payment without it is gone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from creator_pipeline.core.money import to_text
from creator_pipeline.core.text import number
from creator_pipeline.platforms.kdp.columns import normal
from creator_pipeline.platforms.kdp.payment_models import Payment


class Reading(NamedTuple):
    """A payment as one report lists it.

    Attributes:
        upload_id: of the report.
        snapshot_at: when KDP made the report; if it doesn't say, the time of the file.
    """

    payment: Payment
    upload_id: str
    snapshot_at: datetime


@dataclass(frozen=True, slots=True)
class Chosen:
    """A payment, by the reading that counts.

    Attributes:
        payout_id: marketplace and number, or marketplace and period.
        first_at: of the earliest report that lists it.
        differs: what another settled reading says otherwise; empty where none does.
    """

    payout_id: str
    reading: Reading
    first_at: datetime
    differs: str

    @property
    def payment(self) -> Payment:
        """The payment as it counts."""
        return self.reading.payment


_Key = tuple[str, ...]


def choose(readings: Iterable[Reading]) -> list[Chosen]:
    """Every payment once, in the order of their ids."""
    numbered: defaultdict[_Key, list[Reading]] = defaultdict(list)
    waiting: defaultdict[_Key, list[Reading]] = defaultdict(list)
    times: defaultdict[_Key, int] = defaultdict(int)
    for reading in sorted(readings, key=lambda each: (each.upload_id, each.payment.source_row)):
        identity = _identity(reading.payment)
        times[reading.upload_id, *identity] += 1
        # Two rows of one report with one identity are two payments: none of them may be lost.
        key = (*identity, str(times[reading.upload_id, *identity]))
        (numbered if reading.payment.number else waiting)[key].append(reading)
    for key in _arrived(numbered, waiting):
        del waiting[key]
    chosen = [_chosen(key, group) for key, group in (*numbered.items(), *waiting.items())]
    return sorted(chosen, key=lambda each: each.payout_id)


def _identity(payment: Payment) -> _Key:
    return normal(payment.marketplace), payment.number or _period(payment)


def _period(payment: Payment) -> str:
    return f"{payment.period_start}/{payment.period_end}"


def _arrived(numbered: dict[_Key, list[Reading]], waiting: dict[_Key, list[Reading]]) -> list[_Key]:
    """Payments without a number whose number has arrived.

    A numbered payment of the same marketplace and sales that stands beside the one without a number in some report is
    another payment, as the repeat of a failed one is.
    """
    by_shop: defaultdict[str, list[_Key]] = defaultdict(list)
    for key in sorted(numbered):
        by_shop[key[0]].append(key)
    arrived, taken = list[_Key](), set[_Key]()
    for key in sorted(waiting):
        group = waiting[key]
        files = {each.upload_id for each in group}
        sales = {_period(each.payment) for each in group}, {_made_of(each.payment) for each in group}
        same = [
            other
            for other in by_shop[key[0]]
            if other not in taken
            and not any(each.upload_id in files for each in numbered[other])
            and any(_period(each.payment) in sales[0] or _made_of(each.payment) in sales[1] for each in numbered[other])
        ]
        # Of several that fit, rather the one of the same amount.
        amounts = {each.payment.accrued_micros for each in group}
        same.sort(key=lambda other: not any(each.payment.accrued_micros in amounts for each in numbered[other]))
        if same:
            taken.add(same[0])
            arrived.append(key)
    return arrived


def _made_of(payment: Payment) -> tuple[object, ...]:
    # Without a breakdown a payment is like no other.
    rows = sorted((each.month, each.source, each.accrued_micros) for each in payment.details)
    return tuple(rows) if rows else (payment.source_row, payment.number, payment.period_start)


def _rank(reading: Reading) -> tuple[bool, bool, datetime, str]:
    payment = reading.payment
    return payment.state != "on_the_way", payment.complete, reading.snapshot_at, reading.upload_id


def _chosen(key: _Key, group: list[Reading]) -> Chosen:
    best = max(group, key=_rank)
    payment, nth = best.payment, key[-1]
    last = payment.number or _period(payment)
    payout_id = f"{payment.marketplace}:{last}" + (f"#{nth}" if nth != "1" else "")
    return Chosen(payout_id, best, min(each.snapshot_at for each in group), _differing(best, group))


def _figures(payment: Payment) -> tuple[object, ...]:
    return (
        *(payment.accrued_micros, payment.withheld_micros, payment.adjustments_micros, payment.net_micros),
        *(payment.payout_micros, payment.payout_currency, payment.currency),
        sorted((each.month, each.source, each.accrued_micros, each.withheld_micros) for each in payment.details),
    )


def _differing(best: Reading, group: list[Reading]) -> str:
    """What the newest other reading of the same status says otherwise."""
    mine, told = _figures(best.payment), ""
    for other in sorted(group, key=lambda each: (each.snapshot_at, each.upload_id)):
        payment = other.payment
        if payment.state == best.payment.state != "on_the_way" and _figures(payment) != mine:
            amounts = [
                f"{name} {to_text(micros, code)} {code}"
                for name, micros, code in (
                    ("accrued", payment.accrued_micros, payment.currency),
                    ("net", payment.net_micros, payment.currency),
                    ("payout", payment.payout_micros, payment.payout_currency),
                )
                if micros is not None
            ]
            rows = f"{number(len(payment.details), 'row')} below it"
            told = f"the report of {other.snapshot_at:%Y-%m-%d} says {', '.join(amounts)}, {rows}"
    return told
