"""What a platform brings to the books: its payouts, and the equations by which they are checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from sqlalchemy import Connection

from creator_pipeline.core.windows import DayWindow
from creator_pipeline.store.engine import Warehouse

Scope = Literal["payout", "day", "month", "balance"]


class Identity(NamedTuple):
    """An equation of the books with its figures. Amounts in micros of ``currency``.

    Attributes:
        name: of the asset check, as ``lines_equal_payout``.
        scope, key: what it is about: a payout by its id, a day, a month or year, the balance by its part.
        currency: of both figures.
        stated_micros: what the platform says.
        found_micros: what is here.
        tolerance_micros: differences up to this are the platform's own rounding.
        reason: what it means where the two differ, for people.
    """

    name: str
    scope: Scope
    key: str
    currency: str
    stated_micros: int
    found_micros: int
    tolerance_micros: int = 0
    reason: str = ""

    @property
    def difference_micros(self) -> int:
        """What isn't explained."""
        return self.stated_micros - self.found_micros

    @property
    def holds(self) -> bool:
        """Whether the difference is within the platform's own rounding."""
        return abs(self.difference_micros) <= self.tolerance_micros


class NotReadable(NamedTuple):
    """A table of the books that can't be read for an account.

    Attributes:
        table: of the platform, as ``payouts``.
        detail: why, without secrets.
        hint: what to do about it.
        brings: what connecting again brings the seller, a sentence; the seller is asked to by mail and page. Empty
            where connecting again is no help.
    """

    table: str
    detail: str
    hint: str
    brings: str = ""

    @property
    def yours(self) -> str:
        """The table in the seller's words: ``your payouts``."""
        return f"your {self.table.replace('_', ' ')}"


def _nothing(_connection: Connection, _profile_id: str) -> Iterable[NotReadable]:
    return ()


@dataclass(frozen=True, slots=True)
class Books:
    """The books of a platform.

    Attributes:
        identities: (connection, profile id) to the equations that are the platform's own, each time all of them.
        names: what each of those means, by its name; every name that ``identities`` gives stands here.
        rebuild: (warehouse, profile id, half-open UTC days of what was sold) makes the ledger equal to what is stored,
            rows of payouts among it, and returns the number of rows that changed; the API isn't asked.
        follows: asset keys that the asset ``books/PLATFORM`` comes after, as ``gumroad/payouts``.
        job: reads the payouts of a profile, which is its partition; empty where uploads bring them. The run tag
            ``creator_pipeline/since`` (a day) makes it read all payouts made since then, those that are final too.
        not_readable: (connection, profile id) to the tables that the account's token or server doesn't give.
    """

    identities: Callable[[Connection, str], Iterable[Identity]]
    names: Mapping[str, str]
    rebuild: Callable[[Warehouse, str, DayWindow], int]
    follows: Sequence[str]
    job: str = ""
    not_readable: Callable[[Connection, str], Iterable[NotReadable]] = field(default=_nothing)
