"""A month's journal: each movement of a balance as a debit and a credit."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple, TextIO

from creator_pipeline.core.money import to_text
from creator_pipeline.ledger.movements import BY_PROCESSOR, Entry
from creator_pipeline.store.source import Source, label_of

HEADER = ("date", "platform", "currency", "account", "debit", "credit", "text", "belongs_to")
ACCOUNTS = {
    "sales": "Sales",
    "refunds": "Refunds",
    "chargebacks": "Disputes",
    "fees": "Platform fees",
    "fees_returned": "Platform fees given back",
    "affiliate_credits": "Affiliate income",
    "affiliate_shares": "Affiliate shares",
    "payout_fees": "Payout fees",
    "tax": "Tax",
    "adjustments": "Adjustments",
    "transfers": "Owner",
    BY_PROCESSOR: "Paid by processor",
    "payouts": "Bank",
    "withheld": "Tax withheld",
}
"""Name of the account, by the kind of the movement."""


class Posting(NamedTuple):
    """One side of an entry of the journal; one of the two amounts is 0. In micros of ``currency``."""

    day: date
    platform: str
    currency: str
    account: str
    debit_micros: int
    credit_micros: int
    text: str
    belongs_to: date | None


def journal(entries: Iterable[Entry], sources: Sequence[Source]) -> list[Posting]:
    """Two postings for each day, platform, currency and account; their debits equal their credits.

    Args:
        entries: movements of balances.
        sources: give the platforms their labels.
    """
    sums: dict[tuple[date, str, str, str, date | None], list[int]] = defaultdict(lambda: [0, 0])
    for entry in entries:
        found = sums[entry.day, entry.platform, entry.currency, entry.kind, entry.belongs_to]
        found[0] += entry.amount_micros
        found[1] += 1
    postings: list[Posting] = []
    rank = {kind: place for place, kind in enumerate(ACCOUNTS)}
    order = sorted(sums.items(), key=lambda item: (*item[0][:3], rank[item[0][3]], item[0][4] or date.min))
    for (day, platform, currency, kind, belongs_to), (amount, rows) in order:
        if not amount:
            continue
        label = label_of(sources, platform)
        text = f"{rows} {'row' if rows == 1 else 'rows'}"
        balance = (f"{label} balance", max(amount, 0), max(-amount, 0))
        other = (f"{ACCOUNTS[kind]} {label}", max(-amount, 0), max(amount, 0))
        for account, debit, credit in (balance, other):
            postings.append(Posting(day, platform, currency, account, debit, credit, text, belongs_to))
    return postings


def write_csv(postings: Iterable[Posting], out: TextIO) -> None:
    """The journal with a header; amounts as decimal text, empty where they are 0.

    Args:
        postings: of :func:`journal`.
        out: opened with ``newline=""``.
    """
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    for day, platform, currency, account, debit, credit, text, belongs_to in postings:
        amounts = (to_text(micros, currency) if micros else "" for micros in (debit, credit))
        writer.writerow((day, platform, currency, account, *amounts, text, belongs_to or ""))
