"""Reads the memberships of an account: all of them, named ones, and what has changed, with the fewest requests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from creator_pipeline.platforms.whop import catalog
from creator_pipeline.platforms.whop.answers import Json
from creator_pipeline.platforms.whop.client import WhopClient


@dataclass
class Memberships:
    """Memberships, and the members behind them.

    Attributes:
        whole: these are all of the account.
        missing: ids that were asked for and that the account doesn't have.
    """

    memberships: dict[str, Json] = field(default_factory=dict[str, Json])
    members: dict[str, Json] = field(default_factory=dict[str, Json])
    whole: bool = False
    missing: list[str] = field(default_factory=list[str])


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
    for membership_id in sorted(set(ids)):
        membership = client.membership(membership_id)
        if membership is None:
            found.missing.append(membership_id)
        else:
            found.memberships[membership_id] = membership
    for member_id in sorted(_members_of(found)):
        member = client.fetch_customer(member_id)
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
    for membership_id in sorted(gone):
        membership = client.membership(membership_id)
        if membership is None:
            found.missing.append(membership_id)
        else:
            found.memberships[membership_id] = membership
    if _members_of(found):
        found.members = {member["id"]: member for member in client.members(account_id)}
    return found


def _members_of(found: Memberships) -> set[str]:
    return {str(row["member_id"]) for row in found.memberships.values() if row.get("member_id")}
