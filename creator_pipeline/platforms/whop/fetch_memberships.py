"""Reads the memberships of an account: all of them, named ones, and what has changed, with the fewest requests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from creator_pipeline.platforms.whop import catalog
from creator_pipeline.platforms.whop.answers import Json, NoIdError
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.odd import unreadable
from creator_pipeline.store.unreadable import Unreadable


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
    for member_id in sorted(_members_of(found)):
        try:
            member = client.fetch_customer(member_id)
        except NoIdError as error:
            found.odd.append(unreadable("members", {"id": member_id}, error))
            continue
        if member is not None:
            found.members[member_id] = member
    return found


def changed_memberships(
    client: WhopClient, account_id: str | None, stored: dict[str, str], since: datetime
) -> Memberships:
    """Memberships that may have changed: the living ones, the new ones, and those that were living and are not listed.

    Args:
        client: of the account.
        account_id: ``biz_…``; None for the account of the key.
        stored: status of each stored membership by id.
        since: every membership created before it is stored.
    """
    found = Memberships()
    for membership in client.memberships(account_id, statuses=catalog.LIVING):
        found.memberships[membership["id"]] = membership
    for membership in client.memberships(account_id, created_after=since):
        found.memberships[membership["id"]] = membership
    changing = {*catalog.LIVING, *catalog.UNLISTABLE}
    gone = [key for key, status in stored.items() if status in changing and key not in found.memberships]
    _add_named(client, gone, found)
    if _members_of(found):
        found.members = {member["id"]: member for member in client.members(account_id)}
    return found


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
