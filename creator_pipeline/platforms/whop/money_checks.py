"""Checks on the money that a run has just read. They ride in the run's own step and cost no request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import dagster as dg

from creator_pipeline.core.money import MICROS, decimals, to_text
from creator_pipeline.platforms.whop import money_catalog as catalog
from creator_pipeline.platforms.whop.line_types import Family, contradicts
from creator_pipeline.platforms.whop.money_fees import Fees
from creator_pipeline.platforms.whop.sync_money import LoadedMoney
from creator_pipeline.platforms.whop.sync_payouts import LoadedPayouts
from creator_pipeline.runtime.keys import asset_key
from creator_pipeline.runtime.step_checks import StepCheck, Verdict, known_fields

FEED = asset_key("whop", "financial_activity")
PAYOUTS = asset_key("whop", "payouts")


def _readable(asset: dg.AssetKey) -> StepCheck:
    return StepCheck(
        asset,
        "money_readable",
        "The account's money can be read: feed, balance, reports, payouts. Without it payments go on, and their fees "
        "are estimated.",
        "See the lines of creator-pipeline doctor: which permission the key lacks, or that the server is an old one.",
    )


def _odd(asset: dg.AssetKey) -> StepCheck:
    return StepCheck(
        asset,
        "lines_readable",
        "Every line and every payout has an amount, a time and a currency that can be read; others were stored.",
        "Update this package, then read again with the run tag creator_pipeline/since.",
        warns=False,
    )


FEED_CHECKS = (
    _readable(FEED),
    _odd(FEED),
    StepCheck(
        FEED,
        "line_types_known",
        "Every line has a word this code knows, and Whop sees no profit or loss where the ledger has no row.",
        "Nothing is lost: unknown words are booked by Whop's own family, or as adjustments. Update this package.",
    ),
    StepCheck(
        FEED,
        "lines_stand",
        "What was booked stands: no line is gone or says another amount.",
        "Lines that are gone stay here; one that changed is as Whop says it now. Ask Whop.",
    ),
    StepCheck(
        FEED,
        "fees_agree",
        "What payments say they cost is what the feed took of them: Whop's fees, with or without tax and shares.",
        "Nothing: the ledger rests on the feed. It only tells how good the estimate is before its lines come.",
    ),
    known_fields(FEED),
)
PAYOUT_CHECKS = (
    _readable(PAYOUTS),
    _odd(PAYOUTS),
    StepCheck(
        PAYOUTS,
        "payout_statuses_known",
        "Every payout has a status this code knows; one with another counts as on its way.",
        "Update this package, or tell its authors the words.",
    ),
    StepCheck(
        PAYOUTS,
        "payouts_stand",
        "A completed payout and its statement read as they did when they were read first; the first reading stands.",
        "Compare with Whop's dashboard, and ask Whop.",
        warns=False,
    ),
    known_fields(PAYOUTS),
)


class ReadMoney(NamedTuple):
    """The money of one profile's account.

    Attributes:
        fees: by currency, what payments say they cost and what the feed took of them.
        payments: number of payments of both.
        families: what Whop's reports say of each word.
    """

    profile_id: str
    loaded: LoadedMoney
    fees: Mapping[str, Fees]
    payments: int
    families: Mapping[str, Family]


@dataclass
class Feed:
    """What the checks need of the profiles of a run, added up as they land."""

    read: int = 0
    refused: dict[str, str] = field(default_factory=dict[str, str])
    odd: list[str] = field(default_factory=list[str])
    unknown: dict[str, Any] = field(default_factory=dict[str, Any])
    contradicting: set[str] = field(default_factory=set[str])
    moved: list[str] = field(default_factory=list[str])
    fees: dict[str, str] = field(default_factory=dict[str, str])
    new_keys: set[str] = field(default_factory=set[str])

    def add(self, part: ReadMoney) -> None:
        """Count the money of one profile's account."""
        loaded, profile_id = part.loaded, part.profile_id
        self.read += 1
        self.refused |= {f"{profile_id}: {name}": why for name, why in loaded.refused.items()}
        self.odd += [f"{profile_id}: {one.object_id}: {one.detail}" for one in loaded.money.odd]
        for name, (count, micros) in loaded.unknown.items():
            word, _, currency = name.rpartition(" ")
            family = part.families.get(word)
            self.unknown[f"{profile_id}: {word}"] = {
                "lines": count,
                "amount": f"{to_text(micros, currency)} {currency}",
                "family": family.grouping if family else None,
            }
        self.contradicting |= {word for word, family in part.families.items() if contradicts(word, family)}
        self.moved += [f"{profile_id}: {id_} is gone" for id_ in loaded.gone]
        self.moved += [f"{profile_id}: {id_} changed" for id_ in loaded.altered]
        for currency, fees in part.fees.items():
            # What is left of each payment is rounded: to the cent, to the yen.
            if not fees.agree(part.payments * MICROS // 10 ** decimals(currency)):
                told, own, every = (to_text(micros, currency) for micros in fees)
                said = f"{told} told; {own} taken by Whop, {every} with tax and shares"
                self.fees[f"{profile_id} {currency}"] = said
        self.new_keys |= loaded.money.new_keys

    def verdicts(self) -> Iterator[Verdict]:
        """What came out; nothing where nothing was read."""
        if not self.read:
            return
        yield Verdict("money_readable", not self.refused, {"refused": self.refused})
        yield Verdict("lines_readable", not self.odd, {"count": len(self.odd), "lines": self.odd})
        yield Verdict(
            "line_types_known",
            not self.unknown and not self.contradicting,
            {"unknown": self.unknown, "with_profit_or_loss": sorted(self.contradicting)},
        )
        yield Verdict("lines_stand", not self.moved, {"count": len(self.moved), "lines": self.moved})
        yield Verdict("fees_agree", not self.fees, {"differ": self.fees})
        yield Verdict("known_fields", not self.new_keys, {"new_fields": sorted(self.new_keys)})


class ReadPayouts(NamedTuple):
    """The payouts of one profile's account."""

    profile_id: str
    loaded: LoadedPayouts


@dataclass
class Payouts:
    """What the checks need of the profiles of a run, added up as they land."""

    read: int = 0
    refused: dict[str, str] = field(default_factory=dict[str, str])
    odd: list[str] = field(default_factory=list[str])
    statuses: set[str] = field(default_factory=set[str])
    differing: dict[str, str] = field(default_factory=dict[str, str])
    new_keys: set[str] = field(default_factory=set[str])

    def add(self, part: ReadPayouts) -> None:
        """Count the payouts of one profile's account."""
        loaded, profile_id = part.loaded, part.profile_id
        self.read += 1
        self.refused |= {f"{profile_id}: {name}": why for name, why in loaded.refused.items()}
        self.odd += [f"{profile_id}: {one.part} {one.object_id}: {one.detail}" for one in loaded.odd]
        self.statuses |= {row.status for row in loaded.payouts if row.status not in catalog.STATES}
        self.differing |= {row.payout_id: row.differs for row in loaded.payouts if row.differs}
        self.new_keys |= loaded.new_keys

    def verdicts(self) -> Iterator[Verdict]:
        """What came out; nothing where nothing was read."""
        if not self.read:
            return
        yield Verdict("money_readable", not self.refused, {"refused": self.refused})
        yield Verdict("lines_readable", not self.odd, {"count": len(self.odd), "lines": self.odd})
        yield Verdict("payout_statuses_known", not self.statuses, {"unknown": sorted(self.statuses)})
        yield Verdict("payouts_stand", not self.differing, {"differ": self.differing})
        yield Verdict("known_fields", not self.new_keys, {"new_fields": sorted(self.new_keys)})
