"""The invented world of the sandbox: the same accounts and sales for the same seed and day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Self

from creator_pipeline.sandbox.faults import Faults
from creator_pipeline.sandbox.stand_in import Service, StandIn


@dataclass
class World:
    """Everything that is true in the sandbox on the UTC day ``today``.

    Attributes:
        today: the last day of the world.
        stand_ins: of the platforms in it.
        parts: what each of them invented, by its name.
    """

    today: date
    stand_ins: Sequence[StandIn]
    parts: dict[str, Any]

    @classmethod
    def of(
        cls,
        stand_ins: Sequence[StandIn],
        seed: int = 7,
        *,
        today: date,
        days: int = 120,
        sizes: Mapping[str, Mapping[str, int]] | None = None,
        odd: bool = False,
    ) -> Self:
        """Invent a world.

        Args:
            stand_ins: of the platforms; those that invent nothing are left out.
            seed: another seed is another world.
            today: the last UTC day.
            days: how many UTC days the sales reach back, ``today`` included.
            sizes: size of each account, by the stand-in's name; without, the stand-in's own sizes.
            odd: also what no platform's documentation knows: fields and words that make checks red.
        """
        chosen = sizes or {}
        parts = {
            one.name: one.invent(seed, today, days, chosen.get(one.name), odd=odd) for one in stand_ins if one.invent
        }
        return cls(today, stand_ins, parts)

    def advance(self, days: int = 1) -> None:
        """Lets ``days`` nights pass, on every platform whose part has a method ``advance``."""
        self.today += timedelta(days=days)
        for part in self.parts.values():
            if pass_days := getattr(part, "advance", None):
                pass_days(days)

    def faults(self) -> Faults:
        """New switches that know every stand-in's kinds."""
        return Faults(frozenset[str]().union(*(one.fault_kinds for one in self.stand_ins)))

    def services(self, faults: Faults) -> dict[str, Service]:
        """A service for each part, by the stand-in's name."""
        return {one.name: one.serve(self.parts[one.name], faults) for one in self.stand_ins if one.serve}
