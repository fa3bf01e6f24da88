"""What a payout is made of beside sales: its lines without a sale, taken apart, and their rows of the ledger. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import NamedTuple

from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.platforms.gumroad import payout_catalog
from creator_pipeline.platforms.gumroad.adjustments import KEPT_BESIDE, Explained, Part, explain
from creator_pipeline.platforms.gumroad.payouts import Line

PAID_BY_PROCESSOR = "paid by the processor, past the balance"
WHOLE_SHARE = "shown back in whole; a technical adjustment takes the difference again"


class Payout(NamedTuple):
    """A stored payout, and its lines that belong to no sale.

    Attributes:
        live: whether its money is not in the balance any more.
        paid_again: the later payout that pays the same, where this one came back.
        adjusted: whether its lines are read, and would have an adjustment if there were one: in dollars only.
    """

    payout_id: str
    created_at: datetime
    live: bool
    lines: Sequence[Line]
    paid_again: str | None = None
    adjusted: bool = False


class Share(NamedTuple):
    """What an affiliate's share of an own sale does to the affiliate lines of a payout.

    Attributes:
        days: that the line can have, the likeliest first; other days too where ``anywhere``.
        shown_micros: what the line holds of it.
        micros: of its row of the ledger.
        processor: where the money went past the balance.
    """

    sale_id: str
    ledger_id: str
    days: tuple[date, ...]
    shown_micros: int
    micros: int
    processor: str | None = None
    anywhere: bool = False


class Piece(NamedTuple):
    """A part of a payout's line as it is stored: the row that it settles, or why it is none."""

    line: Line
    net_micros: int
    ledger_id: str | None
    reason: str | None
    sale_id: str | None = None


@dataclass
class PayoutRows:
    """The rows of one payout.

    Attributes:
        events: rows of the ledger.
        pieces: of its lines.
        used: names of parts that can be in no other payout's adjustment.
    """

    profile_id: str
    payout: Payout
    moment: datetime
    events: list[LedgerEvent] = field(default_factory=list[LedgerEvent])
    pieces: list[Piece] = field(default_factory=list[Piece])
    used: set[str] = field(default_factory=set[str])

    def _book(self, event_type: str, name: str, line: Line, gross: int, fee: int = 0) -> str:
        at = datetime.combine(line.occurred_on, time.min, UTC)
        event = LedgerEvent(
            id=f"gumroad:{self.profile_id}:{self.payout.payout_id}:{name}",
            profile_id=self.profile_id,
            platform="gumroad",
            event_type=event_type,
            external_id=self.payout.payout_id,
            product_id=None,
            product_name=None,
            occurred_at=at,
            occurred_on=line.occurred_on,
            quantity=0,
            gross_micros=gross,
            fee_micros=fee,
            net_micros=gross - fee,
            currency="USD",
            source=source_of(self.payout.payout_id),
            first_seen_at=self.moment,
            ingested_at=self.moment,
            past_balance=line.type in payout_catalog.CONNECT_SHARES,
        )
        self.events.append(event)
        return event.id

    def add(self, line: Line, name: str, shares: Iterable[Share]) -> None:
        """A line, with the shares of own sales that it holds."""
        if not self.payout.live and self.payout.paid_again:
            self._piece(line, line.net_micros, None, f"came back; paid by {self.payout.paid_again}")
        elif line.type in payout_catalog.CONNECT_GROUPS:
            self._piece(line, line.net_micros, None, PAID_BY_PROCESSOR)
        elif line.type == payout_catalog.PAYOUT_FEE:
            # Of a payout that came back none was taken.
            paid = self.payout.live
            row = self._book("payout_fee", f"payout_fee:{name}", line, 0, -line.net_micros) if paid else None
            self._piece(line, line.net_micros, row, None if paid else "not taken: the payout came back")
        elif line.type == payout_catalog.AFFILIATE_CREDIT or line.type in payout_catalog.CONNECT_SHARES:
            self._affiliates(line, name, shares)
        else:
            self._piece(line, line.net_micros, self._book("adjustment", f"adjustment:{name}", line, line.net_micros))

    def _affiliates(self, line: Line, name: str, shares: Iterable[Share]) -> None:
        rest = line.net_micros
        for share in shares:
            rest -= share.shown_micros
            self._piece(line, share.micros, share.ledger_id, None, share.sale_id)
            if share.shown_micros != share.micros:
                self._piece(line, share.shown_micros - share.micros, None, WHOLE_SHARE, share.sale_id)
        if rest:
            kind = "affiliate_credit" if line.type == payout_catalog.AFFILIATE_CREDIT else "affiliate_share"
            self._piece(line, rest, self._book(kind, f"{kind}:{name}", line, rest))

    def adjustment(
        self, line: Line, expected: Sequence[Part], possible: Sequence[Part], placed: Sequence[Part] | None
    ) -> None:
        """The Technical Adjustment, taken apart; what is left of it is a row of its own.

        Args:
            line: of the payout.
            expected: parts that the rules say it holds.
            possible: parts that it may hold.
            placed: its parts, where they are known to the cent.
        """
        if placed is None:
            found = explain(line.net_micros, expected, possible)
        else:
            found = Explained(placed, line.net_micros - sum(part.micros for part in placed), 0)
        self.used = {part.once for part in found.parts if part.once}
        for part in found.parts:
            self._piece(line, part.micros, part.ledger_id, part.reason, part.sale_id or None)
        if found.beside_micros:
            # The ledger has the estimate: without a row of its own the balance would be off by the cents between.
            row = self._book("adjustment", "technical:kept", line, found.beside_micros)
            self._piece(line, found.beside_micros, row, KEPT_BESIDE)
        if found.rest_micros:
            self._piece(line, found.rest_micros, self._book("adjustment", "technical", line, found.rest_micros))

    def _piece(
        self, line: Line, net: int, ledger_id: str | None, reason: str | None = None, sale_id: str | None = None
    ) -> None:
        self.pieces.append(Piece(line, net, ledger_id, reason, sale_id))


def source_of(payout_id: str) -> str:
    """What the rows of a payout that belong to no sale say they came from."""
    return f"payout {payout_id}"


def rows_of(
    profile_id: str,
    payout: Payout,
    shares: Sequence[Share],
    expected: Sequence[Part],
    possible: Sequence[Part],
    moment: datetime,
    placed: Sequence[Part] | None = None,
) -> PayoutRows:
    """The rows of a payout that belong to no sale.

    Args:
        profile_id: whose payout.
        payout: with those lines of its own.
        shares: of own sales among its lines.
        expected: parts that the rules say its Technical Adjustment holds.
        possible: parts that it may hold.
        moment: when the rows are made.
        placed: its parts, where they are known to the cent.
    """
    made = PayoutRows(profile_id, payout, moment)
    held = _assigned(payout.lines, shares)
    named: dict[tuple[str, date], int] = defaultdict(int)
    for place, line in enumerate(payout.lines):
        again = not payout.live and payout.paid_again
        if line.type == payout_catalog.TECHNICAL_ADJUSTMENT and not again:
            made.adjustment(line, expected, possible, placed)
            continue
        kind = "adjustment" if line.type not in _OWN_NAMES else line.type
        named[kind, line.occurred_on] += 1
        made.add(line, f"{line.occurred_on}:{named[kind, line.occurred_on]}", held.get(place, ()))
    return made


_OWN_NAMES = frozenset({payout_catalog.AFFILIATE_CREDIT, payout_catalog.PAYOUT_FEE}) | frozenset(
    (*payout_catalog.CONNECT_SHARES, *payout_catalog.CONNECT_GROUPS)
)


def _assigned(lines: Sequence[Line], shares: Sequence[Share]) -> Mapping[int, list[Share]]:
    """Which shares each affiliate line holds; a share that fits none is left out, and stays unpaid."""
    held: dict[int, list[Share]] = defaultdict(list)
    rest = {place: line.net_micros for place, line in enumerate(lines)}
    for share in sorted(shares, key=lambda share: (share.anywhere, share.days, share.sale_id, share.ledger_id)):
        fit = [
            place
            for place, line in enumerate(lines)
            if (line.type == payout_catalog.AFFILIATE_CREDIT and not share.processor)
            or (share.processor and payout_catalog.CONNECT_SHARES.get(line.type) == share.processor)
        ]
        same_day = [place for day in share.days for place in fit if lines[place].occurred_on == day]
        enough = [place for place in fit if rest[place] >= share.shown_micros] if share.anywhere else []
        choice = (*same_day, *enough, *(fit if share.anywhere else ()))
        if choice:
            # Of several lines of a day, the one whose sign it can have made.
            best = max(choice[: len(same_day)] or choice[:1], key=lambda place: -rest[place] * _sign(share))
            held[best].append(share)
            rest[best] -= share.shown_micros
    return held


def _sign(share: Share) -> int:
    return -1 if share.shown_micros > 0 else 1
