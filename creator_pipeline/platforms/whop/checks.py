"""Checks on what a run has just read. They ride in the run's own step and cost at most one request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import orjson

from creator_pipeline.platforms.whop.sync import LoadedPayments
from creator_pipeline.platforms.whop.sync_memberships import LoadedMemberships

MEMBERSHIPS = dg.AssetKey(["whop", "memberships"])
PAYMENTS = dg.AssetKey(["whop", "payments"])
EVENTS = dg.AssetKey(["sales_events", "whop"])
_SHOWN = 20
_KNOWN_FIELDS = "The API's objects have no field this code has never heard of."

MEMBERSHIP_SPECS = [
    dg.AssetCheckSpec(
        "statuses_known",
        asset=MEMBERSHIPS,
        description="Every membership has a status this code knows; one with an unknown status gives no access.",
    ),
    dg.AssetCheckSpec(
        "addresses_readable",
        asset=MEMBERSHIPS,
        description="Whop shows the members' e-mail addresses: without them holders aren't found by their address.",
    ),
    dg.AssetCheckSpec(
        "account_sells",
        asset=MEMBERSHIPS,
        description="The account has memberships, or at least a plan: a wrong account is an empty list at Whop.",
    ),
    dg.AssetCheckSpec(
        "memberships_still_there",
        asset=MEMBERSHIPS,
        description="Whop still has every membership that was stored or named by a webhook.",
    ),
    dg.AssetCheckSpec("known_fields", asset=MEMBERSHIPS, description=_KNOWN_FIELDS),
]
PAYMENT_SPECS = [
    dg.AssetCheckSpec(
        "refunds_agree",
        asset=PAYMENTS,
        description="Each payment's refunded amount is the sum of its refunds that succeeded.",
    ),
    dg.AssetCheckSpec(
        "payments_still_there",
        asset=PAYMENTS,
        description="Whop still has every payment that was stored or named by a webhook.",
    ),
    dg.AssetCheckSpec("known_fields", asset=PAYMENTS, description=_KNOWN_FIELDS),
    dg.AssetCheckSpec(
        "disputes_listed",
        asset=PAYMENTS,
        description="The server has a list of disputes. Without it a dispute is read from its payment's substatus: the "
        "whole payment, at its last change, without the fee; payments of the last 120 days are looked at.",
    ),
    dg.AssetCheckSpec(
        "ledger_agrees", asset=EVENTS, description="Ledger and paid payments add up to the same sales, fees included."
    ),
]


@dataclass
class Memberships:
    """What the checks need of the profiles of a run, added up as they land."""

    read: int = 0
    unknown: set[str] = field(default_factory=set[str])
    hidden: list[str] = field(default_factory=list[str])
    empty: list[str] = field(default_factory=list[str])
    gone: list[str] = field(default_factory=list[str])
    new_keys: set[str] = field(default_factory=set[str])

    def add(self, profile_id: str, loaded: LoadedMemberships, *, sells: bool) -> None:
        """Count the memberships of one profile's account."""
        self.read += 1
        self.unknown |= loaded.unknown_statuses
        self.new_keys |= loaded.new_keys
        if loaded.members and loaded.without_address == loaded.members:
            self.hidden.append(profile_id)
        if not sells:
            self.empty.append(profile_id)
        self.gone += [f"{profile_id}: {key}" for key in loaded.missing]
        if loaded.change.deleted:
            self.gone.append(f"{profile_id}: {loaded.change.deleted} of the list")

    def made(self) -> Iterator[dg.AssetCheckResult]:
        """The result of each check."""
        yield _check(
            MEMBERSHIPS,
            "statuses_known",
            not self.unknown,
            {"unknown": sorted(self.unknown)},
            "Update this package, or tell its authors the words.",
        )
        yield _check(
            MEMBERSHIPS,
            "addresses_readable",
            not self.hidden,
            {"profiles": self.hidden},
            "Give the key the permission member:email:read under Developer, API keys.",
        )
        yield _check(
            MEMBERSHIPS,
            "account_sells",
            not self.empty,
            {"profiles": self.empty},
            "Check the account (biz_…) in WHOP_ACCOUNT_ID, and that the key is of that account.",
        )
        yield _check(
            MEMBERSHIPS,
            "memberships_still_there",
            not self.gone,
            {"gone": self.gone[:_SHOWN]},
            "Nothing, if they were deleted at Whop or are another account's: a scan of all memberships settles it.",
        )
        yield _fields(MEMBERSHIPS, self.new_keys)


@dataclass
class Payments:
    """What the checks need of the parts of a run, added up as they land."""

    read: int = 0
    not_explained: list[str] = field(default_factory=list[str])
    gone: list[str] = field(default_factory=list[str])
    sold_micros: int = 0
    sold_in_ledger: int = 0
    fee_micros: int = 0
    fee_in_ledger: int = 0
    ledger: bool = True
    new_keys: set[str] = field(default_factory=set[str])
    disputes_listed: bool = True

    def add(self, loaded: LoadedPayments, *, with_ledger: bool = True) -> None:
        """Count a committed part."""
        self.read += 1
        self.gone += loaded.missing
        self.new_keys |= loaded.new_keys
        self.disputes_listed = self.disputes_listed and loaded.disputes_listed
        if loaded.payments_change.deleted:
            self.gone.append(f"{loaded.payments_change.deleted} of the list")
        for row in loaded.payments:
            if row.refunded_micros != sum(entry["micros"] for entry in orjson.loads(row.refunds)):
                self.not_explained.append(row.id)
            if row.status == "paid" and row.paid_at is not None:
                self.sold_micros += row.total_micros
                self.fee_micros += row.fee_micros or 0
        self.ledger = self.ledger and with_ledger
        for event in loaded.events:
            if event.event_type == "sale":
                self.sold_in_ledger += event.gross_micros
                self.fee_in_ledger += event.fee_micros

    def made(self) -> Iterator[dg.AssetCheckResult]:
        """The result of each check."""
        yield _check(
            PAYMENTS,
            "refunds_agree",
            not self.not_explained,
            {"payments": self.not_explained[:_SHOWN]},
            "Read their days again. If it stays, the key may lack payment:basic:read for refunds.",
        )
        yield _check(
            PAYMENTS,
            "payments_still_there",
            not self.gone,
            {"gone": self.gone[:_SHOWN]},
            "Nothing, if the ids of a webhook were another account's or a test's.",
        )
        yield _fields(PAYMENTS, self.new_keys)
        yield _check(
            PAYMENTS,
            "disputes_listed",
            self.disputes_listed,
            {},
            "Nothing here: the server lacks GET /disputes. A dispute's fee and its part of a payment aren't known.",
        )
        if self.ledger:
            agrees = (self.sold_micros, self.fee_micros) == (self.sold_in_ledger, self.fee_in_ledger)
            # Sums over all currencies mean nothing to people, but must be equal all the same.
            figures = {"sold_micros": self.sold_micros, "sold_micros_in_ledger": self.sold_in_ledger}
            fees = {"fee_micros": self.fee_micros, "fee_micros_in_ledger": self.fee_in_ledger}
            yield _check(
                EVENTS, "ledger_agrees", agrees, figures | fees, "Materialize sales_events/whop for these days."
            )


def _fields(asset: dg.AssetKey, new: set[str]) -> dg.AssetCheckResult:
    hint = "Nothing is lost: they are kept in raw. Update this package, or tell its authors the names."
    return _check(asset, "known_fields", not new, {"new_fields": sorted(new)}, hint)


def _check(
    asset: dg.AssetKey,
    name: str,
    passed: bool,  # noqa: FBT001 - private
    metadata: Mapping[str, Any],
    hint: str,
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=passed,
        severity=dg.AssetCheckSeverity.ERROR if name == "ledger_agrees" else dg.AssetCheckSeverity.WARN,
        metadata=metadata if passed else {**metadata, "hint": hint},
    )


def results(tally: Memberships | Payments, selected: AbstractSet[dg.AssetCheckKey]) -> Iterator[dg.AssetCheckResult]:
    """Results of those checks that belong to the run; none where nothing was read."""
    names = {key.name for key in selected}
    yield from (made for made in tally.made() if tally.read and made.check_name in names)


def log(context: dg.OpExecutionContext, tally: Memberships | Payments) -> None:
    """The same results from a run that no asset is selected in."""
    for made in tally.made():
        evaluation = dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey.from_coercible(made.asset_key or ""),
            check_name=made.check_name or "",
            passed=made.passed,
            severity=made.severity,
            metadata=made.metadata,
        )
        context.log_event(evaluation)  # pyright: ignore[reportArgumentType] - taken, but not named by its type
