"""Asset ``gumroad/payouts``: what the bank got, line by line, and the ledger rows that follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import and_, case, func, select

from creator_pipeline.core.money import to_text
from creator_pipeline.core.windows import today
from creator_pipeline.ledger import by_payouts
from creator_pipeline.ledger.payouts import PayoutRow
from creator_pipeline.platforms.gumroad import payouts
from creator_pipeline.platforms.gumroad.access import SOURCE, GumroadResource
from creator_pipeline.platforms.gumroad.assets import PROFILES, SALES_STREAM
from creator_pipeline.platforms.gumroad.earnings import load_earnings
from creator_pipeline.platforms.gumroad.payout_sync import PayoutsRead, load_payouts
from creator_pipeline.runtime.describe import PREVIEW_ROWS, preview
from creator_pipeline.runtime.keys import asset_key
from creator_pipeline.runtime.step_checks import StepCheck, Verdict
from creator_pipeline.runtime.stream_assets import snapshot_asset
from creator_pipeline.runtime.streams import Request, Snapshot, SnapshotStream
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import payouts as table
from creator_pipeline.store.tables import sales_events

PAYOUTS = asset_key("gumroad", "payouts")
CHECKS = (
    StepCheck(
        PAYOUTS,
        "payouts_readable",
        "The token and the server give payouts and their lines.",
        "Connect the account again; until then what goes back of sales is estimated.",
    ),
    StepCheck(
        PAYOUTS,
        "payouts_usable",
        "Every payout of the list could be read, and no word in it is new.",
        "The others were read. Nothing of an unknown type is lost: it is an adjustment. Tell its authors the words.",
    ),
    StepCheck(
        PAYOUTS,
        "readings_agree",
        "A completed payout lists what it listed when it was first read as completed.",
        "The first reading counts. What changed stands in payouts.differs.",
    ),
    StepCheck(
        PAYOUTS,
        "estimated",
        "How much of the ledger's net is estimated: fees that went back and stand in no payout that was read. It "
        "fails for estimates so old that a payout should have settled them.",
        "They become exact with the payout that lists them: look whether Gumroad holds payouts back, and read all of "
        "them again with the run tag creator_pipeline/since.",
    ),
)
_WARN_SHARE = 0.05
"""Of the net: more than so much that is estimated for longer than :data:`_SETTLED_DAYS` is worth a look."""
_SETTLED_DAYS = 45
"""After so many days a monthly payout, the longest usual wait, has listed what went back."""


class Estimated(NamedTuple):
    """Of a profile's ledger, in micros of US dollars; estimates without their sign.

    Attributes:
        all: estimates.
        old: those that a payout should have settled.
        net: of the whole ledger.
    """

    all: int
    old: int
    net: int


@dataclass
class Tally:
    """What the checks need of the profiles of a run."""

    unreadable: list[str] = field(default_factory=list[str])
    odd: list[str] = field(default_factory=list[str])
    words: set[str] = field(default_factory=set[str])
    differing: list[str] = field(default_factory=list[str])
    estimated: dict[str, Estimated] = field(default_factory=dict[str, Estimated])

    def add(self, part: tuple[str, PayoutsRead, Estimated]) -> None:
        """Count a profile."""
        profile_id, read, figures = part
        if read.not_readable:
            self.unreadable.append(f"{profile_id}: {read.not_readable.detail} {read.not_readable.hint}".strip())
        self.odd += [f"{profile_id} {line}" for line in read.odd.lines()]
        self.words |= read.new_types | read.new_statuses
        self.differing += [f"{profile_id} {row.payout_id}: {row.differs}" for row in read.stored if row.differs]
        self.estimated[profile_id] = figures

    def verdicts(self) -> Iterator[Verdict]:
        """What came out; nothing where nothing was read."""
        if not self.estimated:
            return
        yield Verdict("payouts_readable", not self.unreadable, {"not_readable": self.unreadable})
        yield Verdict(
            "payouts_usable",
            not self.odd and not self.words,
            {"odd": self.odd, "new_words": sorted(self.words)},
        )
        yield Verdict("readings_agree", not self.differing, {"differ": self.differing})
        guessed, old, net = (sum(figures) for figures in zip(*self.estimated.values(), strict=True))
        share = old / abs(net) if net else float(old > 0)
        yield Verdict(
            "estimated",
            share <= _WARN_SHARE,
            {
                "estimated_USD": to_text(guessed, "USD"),
                f"older_than_{_SETTLED_DAYS}_days_USD": to_text(old, "USD"),
                "net_USD": to_text(net, "USD"),
                "share_percent": round(100 * share, 3),
                **{f"estimated_USD_{name}": to_text(one.all, "USD") for name, one in sorted(self.estimated.items())},
            },
        )


def estimated_share(warehouse: Warehouse, profile_id: str) -> Estimated:
    """How much of a profile's ledger is an estimate."""
    events = sales_events.c
    guessed, settled = events.fee_exact.is_(False), today() - timedelta(days=_SETTLED_DAYS)
    amount = func.abs(case((events.fee_micros != 0, events.fee_micros), else_=events.gross_micros))
    with warehouse.read() as connection:
        row = connection.execute(
            select(
                func.coalesce(func.sum(case((guessed, amount), else_=0)), 0),
                func.coalesce(func.sum(case((and_(guessed, events.occurred_on < settled), amount), else_=0)), 0),
                func.coalesce(func.sum(events.net_micros), 0),
            ).where(events.platform == SOURCE.provider, events.profile_id == profile_id)
        ).one()
    return Estimated(*map(int, row))


def days_by_payouts(warehouse: Warehouse, profile_id: str) -> int:
    """Days whose sales, or some of them, rest on payouts as yet: the sales themselves aren't read."""
    with warehouse.read() as connection:
        return len(by_payouts.days_by_payouts(connection, profile_id).get(SOURCE.provider, ()))


def _load(request: Request[GumroadResource]) -> Snapshot:
    with request.resource.client(request.warehouse, request.profile_id) as client:
        read = load_payouts(request.warehouse, client, request.profile_id, since=request.since)
        years = load_earnings(request.warehouse, client, request.profile_id) if not read.not_readable else []
        usage = client.usage.metadata()
    shown = sorted(read.stored, key=lambda row: row.created_at, reverse=True)[:PREVIEW_ROWS]
    figures = estimated_share(request.warehouse, request.profile_id)
    return Snapshot(
        len(read.stored),
        {
            **read.ledger.metadata(),
            **usage,
            "payouts_listed": read.listed,
            "payouts_read": read.read,
            "days_by_payouts_only": days_by_payouts(request.warehouse, request.profile_id),
            "earnings_read": years,
            "estimated_USD": to_text(figures.all, "USD"),
            "preview": preview(("made", "amount", "currency", "status", "covers to", "lines"), map(_shown, shown)),
        },
        (request.profile_id, read, figures),
        {"payout field": read.new_keys, "payout line type": read.new_types, "payout status": read.new_statuses},
        read.ledger,
    )


def _shown(row: PayoutRow) -> tuple[object, ...]:
    inferred = " (amount inferred)" if payouts.is_inferred(row.currency) else ""
    lines = "not read" if row.lines_read_at is None else "differ later" if row.differs else "read"
    amount = to_text(row.amount_micros, row.currency) + inferred
    return row.created_at.date(), amount, row.currency, row.status, row.period_end, lines


STREAM = SnapshotStream(
    source=SOURCE,
    name="gumroad_read_payouts",
    key=PAYOUTS,
    table=table,
    description="Payouts of a profile with their lines (table `payout_lines`), and the ledger rows that follow: "
    "refunds, disputes, affiliates, fees of payouts. Nightly the newest page and what isn't final; the run tag "
    "`creator_pipeline/since` (a day) reads all made since then again.",
    profiles=PROFILES,
    load=_load,
    tally=Tally,
    checks=CHECKS,
    touches=SALES_STREAM,
)
payouts_asset = snapshot_asset(STREAM)
