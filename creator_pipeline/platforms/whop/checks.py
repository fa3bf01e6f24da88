"""Checks on what a run has just read. They ride in the run's own step and cost at most one request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from creator_pipeline.platforms.whop.sync import LoadedPayments
from creator_pipeline.platforms.whop.sync_memberships import LoadedMemberships
from creator_pipeline.runtime.keys import asset_key
from creator_pipeline.runtime.step_checks import StepCheck, Verdict, known_fields

MEMBERSHIPS = asset_key("whop", "memberships")
PAYMENTS = asset_key("whop", "payments")
EVENTS = asset_key("sales_events", "whop")

MEMBERSHIP_CHECKS = (
    StepCheck(
        MEMBERSHIPS,
        "statuses_known",
        "Every membership has a status this code knows; one with an unknown status gives no access.",
        "Update this package, or tell its authors the words.",
    ),
    StepCheck(
        MEMBERSHIPS,
        "memberships_readable",
        "Every membership, member and plan can be read; one that can't is as it was, and all others were stored.",
        "Look at the named ones in Whop's dashboard, and ask Whop. They are read again with each scan.",
    ),
    StepCheck(
        MEMBERSHIPS,
        "addresses_readable",
        "Whop shows the members' e-mail addresses: without them holders aren't found by their address.",
        "Give the key the permission member:email:read under Developer, API keys.",
    ),
    StepCheck(
        MEMBERSHIPS,
        "account_sells",
        "The account has memberships, or at least a plan: a wrong account is an empty list at Whop.",
        "Check the account (biz_…) in WHOP_ACCOUNT_ID, and that the key is of that account.",
    ),
    StepCheck(
        MEMBERSHIPS,
        "memberships_still_there",
        "Whop still has every membership that was stored or named by a webhook.",
        "Nothing, if they were deleted at Whop or are another account's: a scan of all memberships settles it.",
    ),
    known_fields(MEMBERSHIPS),
)
PAYMENT_CHECKS = (
    StepCheck(
        PAYMENTS,
        "refunds_agree",
        "Each payment's refunded amount is the sum of its refunds that succeeded.",
        "Read their days again. If it stays, the key may lack payment:basic:read for refunds.",
    ),
    StepCheck(
        PAYMENTS,
        "objects_readable",
        "Every payment, refund, dispute and alert has what the ledger needs. One that hasn't counts nowhere, or as it "
        "did when it could be read; all others were stored.",
        "Look at the named ones in Whop's dashboard, and ask Whop. They are read again each night.",
        warns=False,
    ),
    StepCheck(
        PAYMENTS,
        "amounts_exact",
        "No amount is finer than a millionth of its currency's unit: the tables round there, half to even.",
        "Nothing here: the exact amount stands in the column raw, and in Whop's dashboard.",
    ),
    StepCheck(
        PAYMENTS,
        "alerts_listed",
        "The list of dispute alerts can be read. Without it an alert's fee comes with the money feed only.",
        "Give the key the permission payment:dispute:read; an older server doesn't have the list.",
    ),
    StepCheck(
        PAYMENTS,
        "payments_still_there",
        "Whop still has every payment that was stored or named by a webhook.",
        "Nothing, if the ids of a webhook were another account's or a test's.",
    ),
    known_fields(PAYMENTS),
    StepCheck(
        PAYMENTS,
        "disputes_listed",
        "The server has a list of disputes. Without it a dispute is read from its payment's substatus: the "
        "whole payment, at its last change, without the fee; payments of the last 120 days are looked at.",
        "Nothing here: the server lacks GET /disputes. A dispute's fee and its part of a payment aren't known.",
    ),
    StepCheck(
        EVENTS,
        "ledger_agrees",
        "Ledger and paid payments are the same sales; where the money feed has no lines of them, the same amounts.",
        "Materialize sales_events/whop for these days.",
        warns=False,
    ),
)


class ReadMemberships(NamedTuple):
    """The memberships of one profile's account; ``sells`` is false where it has neither memberships nor plans."""

    profile_id: str
    loaded: LoadedMemberships
    sells: bool


@dataclass
class Memberships:
    """What the checks need of the profiles of a run, added up as they land."""

    read: int = 0
    unknown: set[str] = field(default_factory=set[str])
    hidden: list[str] = field(default_factory=list[str])
    empty: list[str] = field(default_factory=list[str])
    gone: list[str] = field(default_factory=list[str])
    odd: list[str] = field(default_factory=list[str])
    new_keys: set[str] = field(default_factory=set[str])

    def add(self, part: ReadMemberships) -> None:
        """Count the memberships of one profile's account."""
        profile_id, loaded, sells = part
        self.read += 1
        self.unknown |= loaded.unknown_statuses
        self.new_keys |= loaded.new_keys
        self.odd += [f"{profile_id}: {one.part} {one.object_id}: {one.detail}" for one in loaded.odd]
        if loaded.members and loaded.without_address == loaded.members:
            self.hidden.append(profile_id)
        if not sells:
            self.empty.append(profile_id)
        self.gone += [f"{profile_id}: {key}" for key in loaded.missing]
        if loaded.change.deleted:
            self.gone.append(f"{profile_id}: {loaded.change.deleted} of the list")

    def verdicts(self) -> Iterator[Verdict]:
        """What came out; nothing where nothing was read."""
        if not self.read:
            return
        yield Verdict("statuses_known", not self.unknown, {"unknown": sorted(self.unknown)})
        yield Verdict("memberships_readable", not self.odd, {"count": len(self.odd), "objects": self.odd})
        yield Verdict("addresses_readable", not self.hidden, {"profiles": self.hidden})
        yield Verdict("account_sells", not self.empty, {"profiles": self.empty})
        yield Verdict("memberships_still_there", not self.gone, {"gone": self.gone})
        yield Verdict("known_fields", not self.new_keys, {"new_fields": sorted(self.new_keys)})


@dataclass
class Payments:
    """What the checks need of the parts of a run, added up as they land."""

    read: int = 0
    not_explained: list[str] = field(default_factory=list[str])
    gone: list[str] = field(default_factory=list[str])
    sales: int = 0
    sales_in_ledger: int = 0
    sold_micros: int = 0
    sold_in_ledger: int = 0
    fee_micros: int = 0
    fee_in_ledger: int = 0
    new_keys: set[str] = field(default_factory=set[str])
    disputes_listed: bool = True
    odd: list[str] = field(default_factory=list[str])
    rounded: list[str] = field(default_factory=list[str])
    alerts_refused: str = ""

    def add(self, part: LoadedPayments) -> None:
        """Count a committed part."""
        self.read += 1
        self.gone += part.missing
        self.new_keys |= part.new_keys
        self.disputes_listed = self.disputes_listed and part.disputes_listed
        self.odd += [f"{one.part} {one.object_id}: {one.detail}" for one in part.odd]
        self.rounded += part.rounded
        self.alerts_refused = self.alerts_refused or part.alerts_refused
        if part.payments_change.deleted:
            self.gone.append(f"{part.payments_change.deleted} of the list")
        # Rows that rest on the money feed split fees otherwise, and are checked by the books.
        settled = {
            event.external_id for event in part.events if event.fee_exact and (event.gross_micros or event.fee_micros)
        }
        for row in part.payments:
            if row.refunded_micros != sum(entry["micros"] for entry in orjson.loads(row.refunds)):
                self.not_explained.append(row.id)
            if row.status == "paid" and row.paid_at is not None:
                self.sales += row.units
                if row.id not in settled:
                    self.sold_micros += row.total_micros
                    self.fee_micros += row.fee_micros or 0
        for event in part.events:
            if event.event_type == "sale":
                self.sales_in_ledger += event.quantity
                if event.external_id not in settled:
                    self.sold_in_ledger += event.gross_micros
                    self.fee_in_ledger += event.fee_micros

    def verdicts(self) -> Iterator[Verdict]:
        """What came out; nothing where nothing was read."""
        if not self.read:
            return
        yield Verdict("refunds_agree", not self.not_explained, {"payments": self.not_explained})
        yield Verdict("objects_readable", not self.odd, {"count": len(self.odd), "objects": self.odd})
        yield Verdict("amounts_exact", not self.rounded, {"count": len(self.rounded), "amounts": self.rounded})
        yield Verdict("alerts_listed", not self.alerts_refused, {"refused": self.alerts_refused})
        yield Verdict("payments_still_there", not self.gone, {"gone": self.gone})
        yield Verdict("known_fields", not self.new_keys, {"new_fields": sorted(self.new_keys)})
        yield Verdict("disputes_listed", self.disputes_listed, {})
        # Sums over all currencies mean nothing to people, but must be equal all the same.
        yield Verdict(
            "ledger_agrees",
            (self.sales, self.sold_micros, self.fee_micros)
            == (self.sales_in_ledger, self.sold_in_ledger, self.fee_in_ledger),
            {
                "sales": self.sales,
                "sales_in_ledger": self.sales_in_ledger,
                "sold_micros": self.sold_micros,
                "sold_micros_in_ledger": self.sold_in_ledger,
                "fee_micros": self.fee_micros,
                "fee_micros_in_ledger": self.fee_in_ledger,
            },
        )
