"""Reads the memberships of an account: all of them, named ones, and what has changed, with the fewest requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from creator_pipeline.platforms.whop import catalog
from creator_pipeline.platforms.whop.answers import Json, NoIdError
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.models import MembershipRow
from creator_pipeline.platforms.whop.odd import unreadable
from creator_pipeline.store.unreadable import Unreadable

_TURN = 90
"""Stored memberships of a turn: with a few that came since they are a page."""
_EACH_NIGHT = 2 * catalog.PAGE_SIZE
"""Living memberships at most that are all listed each night: who leaves loses the tier the next morning."""
_SINGLE = 5
"""Members at most that are read one by one."""
_TICK = timedelta(milliseconds=1)
"""The resolution of Whop's times; its bounds are exclusive."""


@dataclass
class Memberships:
    """Memberships, and the members behind them.

    Attributes:
        whole: these are all of the account.
        missing: ids that were asked for and that the account doesn't have.
        odd: what was asked for by its id, and can't be read.
    """

    memberships: dict[str, Json] = field(default_factory=dict[str, Json])
    members: dict[str, Json] = field(default_factory=dict[str, Json])
    whole: bool = False
    missing: list[str] = field(default_factory=list[str])
    odd: list[Unreadable] = field(default_factory=list[Unreadable])


def all_memberships(client: WhopClient, account_id: str | None) -> Memberships:
    """Every membership and every member of the account."""
    found = Memberships(whole=True)
    for membership in client.memberships(account_id):
        found.memberships[membership["id"]] = membership
    if found.memberships:
        found.members = {member["id"]: member for member in client.members(account_id)}
    return found


def memberships_named(client: WhopClient, ids: Iterable[str]) -> Memberships:
    """The memberships with these ids, in the state of now, and their members."""
    found = Memberships()
    _add_named(client, set(ids), found)
    _add_members_named(client, _members_of(found), found)
    return found


def changed_memberships(
    client: WhopClient,
    account_id: str | None,
    stored: Sequence[MembershipRow],
    since: datetime,
    moment: datetime,
    *,
    also: Iterable[str] = (),
) -> Memberships:
    """Memberships that may have changed: the new ones, the living ones, and those that were living and are no more.

    No list tells what changed. A page by time of creation takes its turn, whatever the status of its memberships: an
    account of one page is read whole each night. Beside it come the living ones, where they fill few pages, else those
    whose period ended.

    Args:
        client: of the account.
        account_id: ``biz_…``; None for the account of the key.
        stored: every stored membership.
        since: every membership created before it is stored, and every one whose period ended before was read since.
        moment: of the reading; its day says whose turn it is.
        also: ids of others that may have changed.
    """
    found = Memberships()
    spans = turns([row.created_at for row in stored]) or [(since, None)]
    first, end = spans[moment.toordinal() % len(spans)]
    windows = [(min(first, since), None)] if end is None else [(first, end), (since, None)]
    for after, before in windows:
        _add_listed(client, account_id, found, created_after=after, created_before=before)
    living = [row for row in stored if row.status in catalog.LIVING]
    changing = living + [row for row in stored if row.status in catalog.UNLISTABLE]
    ended = {row.id for row in changing if row.current_period_end and since <= row.current_period_end <= moment}
    gone = {row.id for row in changing if row.created_at > windows[0][0] and (end is None or row.created_at < end)}
    few = len(living) <= _EACH_NIGHT
    if few:
        gone |= {row.id for row in living}
    wanted = ended | gone | {*also}
    if (few and len(spans) > 1) or len(wanted - found.memberships.keys()) > -(-len(living) // catalog.PAGE_SIZE):
        _add_listed(client, account_id, found, statuses=catalog.LIVING)
    _add_named(client, wanted - found.memberships.keys(), found)
    _add_members(client, account_id, {row.member_id for row in stored if row.member_id}, since, found)
    return found


def _add_listed(client: WhopClient, account_id: str | None, found: Memberships, **asked: Any) -> None:
    for membership in client.memberships(account_id, **asked):
        found.memberships[membership["id"]] = membership


def turns(times: Iterable[datetime]) -> list[tuple[datetime, datetime | None]]:
    """Spans of time, both ends exclusive, that hold a page of memberships each; the last one has no end.

    Args:
        times: when the stored ones were created.
    """
    ordered = sorted(times)
    starts = ordered[::_TURN]
    ends = [*starts[1:], None]
    return [(start - _TICK, end) for start, end in zip(starts, ends, strict=True) if end is None or start < end]


def _add_members(
    client: WhopClient, account_id: str | None, known: AbstractSet[str], since: datetime, found: Memberships
) -> None:
    """Add the members of the memberships that aren't known yet."""
    if not (needed := _members_of(found) - known):
        return
    found.members = {member["id"]: member for member in client.members(account_id, created_after=since)}
    missing = needed - found.members.keys()
    if len(missing) > _SINGLE:
        found.members |= {member["id"]: member for member in client.members(account_id)}
    else:
        _add_members_named(client, missing, found)


def _add_members_named(client: WhopClient, ids: Iterable[str], found: Memberships) -> None:
    for member_id in sorted(ids):
        try:
            member = client.fetch_customer(member_id)
        except NoIdError as error:
            found.odd.append(unreadable("members", {"id": member_id}, error))
            continue
        if member is not None:
            found.members[member_id] = member


def _add_named(client: WhopClient, ids: Iterable[str], found: Memberships) -> None:
    for membership_id in sorted(ids):
        try:
            membership = client.membership(membership_id)
        except NoIdError as error:
            found.odd.append(unreadable("memberships", {"id": membership_id}, error))
            continue
        if membership is None:
            found.missing.append(membership_id)
        else:
            found.memberships[membership_id] = membership


def _members_of(found: Memberships) -> set[str]:
    return {str(row["member_id"]) for row in found.memberships.values() if row.get("member_id")}
