"""Memberships from the API to the tables, and the tiers that follow. Running anything again is safe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, select, update

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.json_fields import unknown_keys
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import now
from creator_pipeline.platforms.whop import catalog
from creator_pipeline.platforms.whop import fetch_memberships as fetch
from creator_pipeline.platforms.whop.answers import Json
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.fetch_memberships import Memberships
from creator_pipeline.platforms.whop.models import (
    MembershipRow,
    account_of,
    address_hashes,
    membership_row,
    plan_of,
    without_buyers,
)
from creator_pipeline.platforms.whop.odd import good, keep_odd
from creator_pipeline.platforms.whop.sync import PLATFORM, refuse_nothing
from creator_pipeline.platforms.whop.tiers import FREE, People, Standing, Tiers, settle, standings, unknown_statuses
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.erasure import forgotten
from creator_pipeline.store.load import Change, replace
from creator_pipeline.store.locks import lock_profile
from creator_pipeline.store.tables import platform_connections, profiles, whop_subscriptions
from creator_pipeline.store.unreadable import Unreadable


class TierChange(NamedTuple):
    """A profile's new tier.

    Attributes:
        before: tier and plan until now.
        changed_at: Whop's last change of any membership of this person: the same for every teller of this change.
    """

    profile_id: str
    tier: str
    plan_name: str | None
    before: Standing
    changed_at: datetime | None


TellTier = Callable[[Connection, TierChange], None]
"""Called within the transaction that changes the tier, so that neither is there without the other."""


@dataclass(frozen=True)
class LoadedMemberships:
    """Memberships and the tiers that follow, committed.

    Attributes:
        memberships: all of the account, as they stand now.
        unknown_statuses: status words this code doesn't know; they give no access.
        without_address: members whose e-mail is null. All of them: the key lacks ``member:email:read``.
        members: how many members were read.
        new_keys: keys of memberships this code doesn't know.
        odd: memberships, members and plans that can't be read.
    """

    memberships: Sequence[MembershipRow]
    change: Change
    tiers_changed: Sequence[TierChange]
    unknown_statuses: frozenset[str]
    members: int
    without_address: int
    missing: Sequence[str] = ()
    new_keys: frozenset[str] = frozenset()
    odd: Sequence[Unreadable] = ()


def load_memberships(
    warehouse: Warehouse,
    client: WhopClient,
    ring: KeyRing,
    profile_id: str,
    account_id: str | None,
    tiers: Tiers,
    *,
    since: datetime | None = None,
    also: Iterable[str] = (),
    moment: datetime | None = None,
    allow_shrink: bool = False,
    tell: TellTier | None = None,
) -> LoadedMemberships:
    """Make the stored memberships of an account, and the tiers of who holds them, equal to the API's.

    Args:
        since: read only what can have changed since; everything where it is None.
        also: ids of memberships that may have changed, whatever their times.
        moment: of the reading; now where it is None.

    Raises:
        DataError: far fewer memberships than are stored, or none where some are.
        ConfigError: the key is of another account.
    """
    stored: Sequence[MembershipRow] = ()
    if since is None:
        found = fetch.all_memberships(client, account_id)
    else:
        stored = stored_memberships(warehouse, profile_id)
        found = fetch.changed_memberships(client, account_id, stored, since, moment or now(), also=also)
    _check_account(found, account_id)
    return _store_memberships(
        warehouse,
        client,
        ring,
        profile_id,
        account_id,
        tiers,
        found,
        stored=stored,
        allow_shrink=allow_shrink,
        tell=tell,
    )


def refresh_memberships(
    warehouse: Warehouse,
    client: WhopClient,
    ring: KeyRing,
    profile_id: str,
    account_id: str | None,
    tiers: Tiers,
    ids: Iterable[str],
    *,
    tell: TellTier | None = None,
) -> LoadedMemberships:
    """Make the named memberships equal to the API's; holders and tiers follow from all that is stored.

    Args:
        warehouse: where the tables are.
        client: of the account.
        ring: hashes the addresses of members and profiles.
        profile_id: whose account sells the memberships.
        account_id: ``biz_…``; None for the account of the key.
        tiers: the tier of each plan or product.
        ids: ``mem_…``.
        tell: called with each tier that changed, within the transaction; None for no call.

    Raises:
        ConfigError: the key is of another account.
    """
    found = fetch.memberships_named(client, ids)
    _check_account(found, account_id)
    return _store_memberships(warehouse, client, ring, profile_id, account_id, tiers, found, tell=tell)


def stored_memberships(warehouse: Warehouse, profile_id: str) -> list[MembershipRow]:
    """All memberships of the account of a profile, as stored."""
    mine = whop_subscriptions.c.account_profile_id == profile_id
    with warehouse.read() as connection:
        return [MembershipRow(*row) for row in connection.execute(select(whop_subscriptions).where(mine))]


def people(connection: Connection, ring: KeyRing) -> People:
    """The profiles a membership's holder can be."""
    links = platform_connections.c
    by_user = connection.execute(
        select(links.external_account_id, links.profile_id).where(
            links.provider == PLATFORM, links.external_account_id.like("user\\_%", escape="\\")
        )
    )
    by_address: dict[str, set[str]] = {}
    for profile_id, email in connection.execute(select(profiles.c.id, profiles.c.email)):
        by_address.setdefault(ring.hash_address(email), set()).add(profile_id)
    users = {row.external_account_id: row.profile_id for row in by_user}
    return People(users, {key: frozenset(found) for key, found in by_address.items()})


def _check_account(found: Memberships, account_id: str | None) -> None:
    accounts = set(good("memberships", found.memberships.values(), account_of, []))
    if account_id and accounts - {account_id}:
        raise ConfigError(
            f"The Whop key is of the account {', '.join(sorted(accounts))}, not of {account_id}.",
            hint="Connect the profile again with the key of its own account, or correct WHOP_ACCOUNT_ID.",
        )


def _store_memberships(
    warehouse: Warehouse,
    client: WhopClient,
    ring: KeyRing,
    profile_id: str,
    account_id: str | None,
    tiers: Tiers,
    found: Memberships,
    *,
    stored: Sequence[MembershipRow] = (),
    allow_shrink: bool = False,
    tell: TellTier | None = None,
) -> LoadedMemberships:
    moment = now()
    odd: list[Unreadable] = list(found.odd)
    # What stands of a plan or a member is read again by the turns of their tables, and by a scan of all.
    titles = {row.plan_id: row.plan_name for row in stored if row.plan_name}
    by_member = {row.member_id: row.holder_hash for row in stored if row.member_id and row.holder_hash}
    by_id = {row.id: row.holder_hash for row in stored}
    listed = client.plans(account_id) if _plans_of(found) - titles.keys() else ()
    plans = {plan.id: plan for plan in good("plans", listed, plan_of, odd)}
    titles |= {plan.id: plan.title for plan in plans.values()}
    hashed = good("members", found.members.values(), lambda member: address_hashes([member], ring), odd)
    hashes = {key: value for one in hashed for key, value in one.items()}

    def holder_of(item: Json) -> str | None:
        member = str(item.get("member_id"))
        # What was emptied in a row stays so, until its member is read again.
        return hashes.get(member) or by_id.get(str(item.get("id")), by_member.get(member))

    fresh = {
        row.id: row
        for row in good(
            "memberships",
            found.memberships.values(),
            lambda item: membership_row(profile_id, item, titles, holder_of(item), moment),
            odd,
        )
    }
    without_id = client.take_listed()
    mine = whop_subscriptions.c.account_profile_id == profile_id
    what = f"whop/memberships of {profile_id}"
    with warehouse.write() as connection:
        lock_profile(connection, profile_id)
        before = [MembershipRow(*row) for row in connection.execute(select(whop_subscriptions).where(mine))]
        if before and not fresh and not without_id.has("memberships") and found.whole and not allow_shrink:
            refuse_nothing(connection, select(whop_subscriptions.c.id).where(mine).limit(1), what)
        # What was read before of a membership stands as long as it can't be read now.
        unread = {one.object_id for one in odd if one.part == "memberships"}
        # One without an id may be any of those that aren't listed.
        every = not found.whole or without_id.has("memberships")
        kept = {row.id: row for row in before if every or row.id in unread}
        read = [("memberships", key) for key in fresh] + [("plans", key) for key in plans]
        read += [("members", key) for key in hashes]
        keep_odd(connection, profile_id, odd, read, moment, without_id)
        known = people(connection, ring)
        # A profile's plan follows from what it bought: its own memberships are not forgotten.
        fresh = without_buyers(fresh, forgotten(connection) - known.by_address.keys())
        rows = settle((kept | fresh).values(), known, tiers)
        change = replace(connection, whop_subscriptions, rows, mine, what=what, allow_shrink=allow_shrink)
        held = {row.profile_id for row in before} | {row.profile_id for row in rows}
        changed = _set_tiers(connection, tiers, {holder for holder in held if holder})
        if tell:
            for one in changed:
                tell(connection, one)
    return LoadedMemberships(
        memberships=rows,
        change=change,
        tiers_changed=changed,
        unknown_statuses=unknown_statuses(rows),
        members=len(found.members),
        without_address=len(found.members) - len(hashes),
        missing=tuple(found.missing),
        odd=[*odd, *without_id.odd],
        new_keys=unknown_keys(found.memberships.values(), catalog.MEMBERSHIP_KEYS),
    )


def _plans_of(found: Memberships) -> set[str]:
    return {str(row.get("plan_id")) for row in found.memberships.values()}


def _set_tiers(connection: Connection, tiers: Tiers, holders: set[str]) -> list[TierChange]:
    """Tiers of the profiles, from the memberships of every account; returns those that changed."""
    columns, of = whop_subscriptions.c, profiles.c
    # Locked before the memberships are read: two accounts of one person would else each count without the other.
    known = connection.execute(
        select(of.id, of.subscription_tier, of.plan_name)
        .where(of.id.in_(sorted(holders)))
        .order_by(of.id)
        # No DELETE's lock: two loads that keep the same profile would wait for each other.
        .with_for_update(key_share=True)
    ).all()
    rows = [
        MembershipRow(*row)
        for row in connection.execute(select(whop_subscriptions).where(columns.profile_id.in_(sorted(holders))))
    ]
    standing, changed = standings(rows, tiers), list[TierChange]()
    for holder, tier, plan_name in known:
        wanted = standing.get(holder, Standing(FREE, None))
        if wanted == (tier, plan_name):
            continue
        connection.execute(
            update(profiles).where(of.id == holder).values(subscription_tier=wanted.tier, plan_name=wanted.plan_name)
        )
        moved = max((row.updated_at for row in rows if row.profile_id == holder), default=None)
        changed.append(TierChange(holder, *wanted, before=Standing(tier, plan_name), changed_at=moved))
    return changed
