"""Pure: what each payout is made of, of the statements as they were read.

A statement is a period: what moved the available balance from the payout before to this one, without this payout and
its fee. A payout needn't empty the balance, so which sales are in it is a convention: all of its period, with what was
there before, less what stays. The lines of a payout that came back are those of the next one that didn't, so that each
row of the ledger is in one living payout.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from creator_pipeline.ledger.payouts import PayoutRow
from creator_pipeline.platforms.whop.ledger_lines import Booked
from creator_pipeline.platforms.whop.line_types import WHY_NO_ROW, Family, meaning_of
from creator_pipeline.platforms.whop.money_models import StatementLine
from creator_pipeline.platforms.whop.payout_models import own_fee_of

OPENING, REST, CARRIED = "opening", "rest", "carried"
"""Types of the lines that Whop doesn't send."""
WHY = {
    OPENING: "in the balance since the payout before",
    REST: "stays in the balance",
    CARRIED: "in the balance before, less what stays: the payout before has no statement",
}


class PayoutLine(NamedTuple):
    """A row of ``payout_lines``, in the order of its columns."""

    provider: str
    profile_id: str
    payout_id: str
    line: int
    type: str
    sale_id: str | None
    ledger_id: str | None
    reason: str | None
    gross_micros: int | None
    fee_micros: int | None
    net_micros: int
    currency: str
    occurred_on: date


class Own(NamedTuple):
    """What the feed has of one payout.

    Attributes:
        left: the lines by which its money left the balance.
        fees: what it cost.
        back: the lines by which it came back.
    """

    left: Sequence[Booked]
    fees: Sequence[Booked]
    back: Sequence[Booked]

    @property
    def at(self) -> datetime | None:
        """When it left."""
        return max((line.posted_at for line in self.left), default=None)

    @property
    def taken(self) -> int:
        """What left the balance by these lines, in micros."""
        return -sum(line.amount_micros for line in self.left)

    def fee_inside(self, net: int, fee: int) -> int:
        """The fee, where the line by which the money left holds it and no line of its own does; else 0.

        Args:
            net: what the payout sends, in micros of the balance's currency.
            fee: what the account pays for it.
        """
        return fee if self.left and not self.fees and self.taken == net + fee else 0


class Part(NamedTuple):
    """A payout with its statement; None where it isn't read."""

    payout: PayoutRow
    own: Own
    statement: Sequence[StatementLine] | None


class Standing(NamedTuple):
    """Where the chain of payouts stands: what was in the balance, and the lines that no living payout has yet.

    ``opening`` is None where a payout without a statement makes it unknown.
    """

    opening: int | None = 0
    carried: tuple[PayoutLine, ...] = ()


def own_lines(lines: Iterable[Booked], families: Mapping[str, Family]) -> Own:
    """The lines of one payout by what they are.

    Args:
        lines: of the feed, all of this payout.
        families: Whop's own family of each word.
    """
    told = [(line, meaning_of(line.line_type, families)) for line in lines]
    return Own(
        [line for line, meaning in told if meaning == "payout" and line.amount_micros < 0],
        [line for line, meaning in told if meaning == "payout_fee" and line.amount_micros < 0],
        [line for line, meaning in told if meaning == "payout" and line.amount_micros > 0],
    )


def lines_of(
    part: Part, standing: Standing, ledger_ids: Mapping[str, str], families: Mapping[str, Family]
) -> tuple[list[PayoutLine], Standing]:
    """The lines of one payout, which add up to what it took from the balance, and where the chain stands after it.

    Args:
        part: the payout.
        standing: before it.
        ledger_ids: row of the ledger by the id of its line; of a fee without a line, by the payout's id.
        families: Whop's own family of each word.
    """
    payout, own = part.payout, part.own
    currency, day = payout.balance_currency or payout.currency, (own.at or payout.created_at).date()

    def line(word: str, net: int, on: date, **more: str | None) -> PayoutLine:
        told = {"sale_id": None, "ledger_id": None, "reason": None, **more}
        return PayoutLine(
            "whop",
            payout.profile_id,
            payout.payout_id,
            0,
            word,
            told["sale_id"],
            told["ledger_id"],
            told["reason"],
            None,
            None,
            net,
            currency,
            on,
        )

    def of_whop(each: StatementLine | Booked, line_id: str) -> PayoutLine:
        row = ledger_ids.get(line_id)
        why = None if row else WHY_NO_ROW.get(meaning_of(each.line_type, families))
        made = line(
            each.line_type,
            each.amount_micros,
            each.posted_at.date(),
            sale_id=each.payment_id,
            ledger_id=row,
            reason=why,
        )
        return made._replace(currency=each.currency)

    period = [each._replace(payout_id=payout.payout_id) for each in standing.carried]
    period += [of_whop(each, each.line_id) for each in sorted(part.statement or (), key=_when)]
    fees = [of_whop(each, each.id) for each in own.fees]
    fee_row = ledger_ids.get(payout.payout_id)
    if not fees and fee_row and (fee := own_fee_of(payout)):
        fees = [line("payout_fee", -fee, day, ledger_id=fee_row)]
    taken = payout.balance_micros or 0
    here = sum(each.net_micros for each in [*period, *fees] if each.currency == currency)
    made = [*period, *fees]
    rest: int | None = None
    if part.statement is None or standing.opening is None:
        if taken != here:
            made.append(line(CARRIED, taken - here, day, reason=WHY[CARRIED]))
    else:
        rest = standing.opening + here - taken
        made += [
            line(word, net, day, reason=WHY[word]) for word, net in ((OPENING, standing.opening), (REST, -rest)) if net
        ]
    numbered = [each._replace(line=number) for number, each in enumerate(made, 1)]
    left = [of_whop(each, each.id) for each in own.left]
    if left and own.taken != taken:
        # The line holds the fee, which is a line of its own here.
        left = [left[0]._replace(net_micros=-taken)]
    if payout.state != "released":
        return numbered, Standing(rest)
    unknown = standing.opening if part.statement is not None else None
    return numbered, Standing(unknown, (*period, *fees, *left))


def _when(line: StatementLine) -> tuple[datetime, str]:
    return line.posted_at, line.line_id
