"""Who holds a membership, whether it gives access, and which tier follows. Pure."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, cast

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.platforms.whop import catalog
from creator_pipeline.platforms.whop.models import MembershipRow

FREE = "free"
ANY = "*"
DEFAULT: Mapping[str, str] = {ANY: "paid"}
"""Without WHOP_TIERS every membership with access gives the tier ``paid``."""

_HINT = 'WHOP_TIERS looks like {"plan_x": {"tier": "pro"}, "prod_y": {"tier": "basic"}, "*": {"tier": "paid"}}.'


@dataclass(frozen=True, slots=True)
class Tiers:
    """The tier of each plan or product, best first, and the rule for days of grace.

    Attributes:
        of: tier by ``plan_…``, ``prod_…`` or ``*``, in the order written: the first tier is the best.
        past_due: whether a membership whose renewal failed keeps its access.
    """

    of: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT))
    past_due: bool = True

    def tier(self, plan_id: str, product_id: str) -> str | None:
        """The tier a plan maps to; the plan itself goes before its product, and that before ``*``."""
        return self.of.get(plan_id) or self.of.get(product_id) or self.of.get(ANY)

    def rank(self, tier: str | None) -> int:
        """0 for the best tier."""
        order = list(dict.fromkeys(self.of.values()))
        return order.index(tier) if tier in order else len(order)

    def gives_access(self, status: str) -> bool:
        """Whether a membership of this status gives access; an unknown word doesn't (see :func:`unknown_statuses`)."""
        return catalog.ACCESS.get(status, False) and (status != "past_due" or self.past_due)


def parse_tiers(configured: str | None, *, past_due: bool = True) -> Tiers:
    """The mapping of ``WHOP_TIERS``: JSON text, or the path of a ``.json`` or ``.toml`` file.

    Raises:
        ConfigError: it can't be read, or an entry is not what it should be.
    """
    if not configured:
        return Tiers(past_due=past_due)
    source = configured.strip()
    try:
        if source.startswith("{"):
            loaded: Any = json.loads(source)
        else:
            written = Path(source).read_text(encoding="utf-8")
            loaded = tomllib.loads(written) if source.endswith(".toml") else json.loads(written)
    except (OSError, ValueError) as error:
        raise ConfigError(f"WHOP_TIERS can't be read ({type(error).__name__}).", hint=_HINT) from None
    if not isinstance(loaded, dict) or not loaded:
        raise ConfigError("WHOP_TIERS names no plan.", hint=_HINT)
    tiers = {str(key): _entry(str(key), value) for key, value in cast("dict[Any, Any]", loaded).items()}
    return Tiers(tiers, past_due)


def _entry(key: str, value: Any) -> str:
    if key != ANY and not key.startswith(("plan_", "prod_")):
        raise ConfigError(f"WHOP_TIERS: {key!r} is no plan_…, prod_… or *.", hint=_HINT)
    tier = cast("dict[str, Any]", value).get("tier") if isinstance(value, dict) else None
    if not isinstance(tier, str) or not tier:
        raise ConfigError(f"WHOP_TIERS: {key!r} has no tier.", hint=_HINT)
    return tier


def unknown_statuses(rows: Iterable[MembershipRow]) -> frozenset[str]:
    """Status words this code has never heard of; such memberships give no access."""
    return frozenset(row.status for row in rows) - catalog.ACCESS.keys()


@dataclass(frozen=True, slots=True)
class People:
    """The profiles a holder can be.

    Attributes:
        by_user: profile by the ``user_…`` its Whop connection names.
        by_address: profiles by keyed hash of their e-mail; more than one is nobody.
    """

    by_user: Mapping[str, str]
    by_address: Mapping[str, frozenset[str]]


class Holder(NamedTuple):
    """Who holds a membership, and how that is known."""

    profile_id: str | None = None
    matched_by: str | None = None


def _direct(row: MembershipRow, people: People) -> Holder:
    if row.whop_user_id and (connected := people.by_user.get(row.whop_user_id)):
        return Holder(connected, "connection")
    found = people.by_address.get(row.holder_hash or "", frozenset())
    return Holder(next(iter(found)), "email") if len(found) == 1 else Holder()


def settle(rows: Iterable[MembershipRow], people: People, tiers: Tiers) -> list[MembershipRow]:
    """The memberships of one account with holder, access and tier filled in.

    A connection that names the Whop user decides; else the verified e-mail of the account's member; else the same
    Whop user's other memberships where those agree on one profile. Whom nothing names stays unmatched. It is a
    function of all memberships of the account, so it doesn't matter in which order they were read.
    """
    memberships = list(rows)
    direct = {row.id: _direct(row, people) for row in memberships}
    users: dict[str, set[str]] = {}
    for row in memberships:
        holder = direct[row.id]
        if row.whop_user_id and holder.profile_id:
            users.setdefault(row.whop_user_id, set()).add(holder.profile_id)

    def holder_of(row: MembershipRow) -> Holder:
        if direct[row.id].profile_id:
            return direct[row.id]
        known = users.get(row.whop_user_id or "", set())
        return Holder(next(iter(known)), "whop_user") if len(known) == 1 else Holder()

    return [
        row._replace(
            **holder_of(row)._asdict(),
            has_access=tiers.gives_access(row.status),
            tier=tiers.tier(row.plan_id, row.product_id),
        )
        for row in memberships
    ]


class Standing(NamedTuple):
    """What a profile has: tier, and the title of the plan behind it."""

    tier: str
    plan_name: str | None


def standings(rows: Iterable[MembershipRow], tiers: Tiers) -> dict[str, Standing]:
    """The best tier of each matched profile; one whose memberships give no access is ``free``.

    Among equal tiers the membership that lasts longest decides, then the id.
    """
    best: dict[str, MembershipRow | None] = {}
    for row in rows:
        if row.profile_id is None:
            continue
        held = best.setdefault(row.profile_id, None)
        if row.has_access and row.tier and (held is None or _order(row, tiers) < _order(held, tiers)):
            best[row.profile_id] = row
    return {
        profile_id: Standing(row.tier or FREE, row.plan_name) if row else Standing(FREE, None)
        for profile_id, row in best.items()
    }


def _order(row: MembershipRow, tiers: Tiers) -> tuple[int, float, str]:
    end = row.current_period_end.timestamp() if row.current_period_end else float("inf")
    return tiers.rank(row.tier), -end, row.id
