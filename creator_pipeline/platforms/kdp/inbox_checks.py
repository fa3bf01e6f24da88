"""Checks of the inbox: files that belong to nobody, files that nobody took, and uploads that have a verdict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from sqlalchemy import inspect, or_, select

from creator_pipeline.core.windows import now
from creator_pipeline.platforms.kdp.files import ListedFile, listing
from creator_pipeline.platforms.kdp.ledger import PARTITION_DIGITS
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse, translated
from creator_pipeline.store.tables import kdp_files, kdp_uploads, profiles

WAITED_MINUTES = 10
"""A complete file that nobody took for so long is a problem."""


class InboxState(NamedTuple):
    """The inbox in one line: ``ok``, ``off`` (switched off) or ``no`` (there is a problem), what was found, a hint."""

    state: Literal["ok", "off", "no"]
    text: str
    hint: str = ""


class InboxProblem(NamedTuple):
    """A problem of the inbox. ``id`` is the same as long as the problem is; ``profile_id`` is None for nobody's."""

    id: str
    subject: str
    text: str
    hint: str
    profile_id: str | None = None


def inbox_state(config: Settings, warehouse: Warehouse | None) -> InboxState:
    """Whether the inbox can be read, and every file in it is in a profile's folder.

    Args:
        config: says where the inbox is.
        warehouse: where the profiles are; None where it doesn't exist yet.

    Raises:
        TransientError: the inbox can't be read.
    """
    if not config.enable_kdp:
        return InboxState("off", "ENABLE_KDP is off.")
    found = listing(config.inbox)
    known: set[str] = set()
    if warehouse is not None:
        with translated(warehouse.engine), warehouse.engine.connect() as connection:
            if inspect(connection).has_table(profiles.name):
                known = set(connection.execute(select(profiles.c.id)).scalars())
    if strays := _strays(found, known):
        text = f"In {config.inbox}: {', '.join(strays[:5])} {'is' if len(strays) == 1 else 'are'} no profile's folder."
        return InboxState("no", text, "Reports go to KDP_INBOX/PROFILE/FILE; add a profile or rename the folder.")
    return InboxState("ok", f"{config.inbox}: {len(found)} files")


def inbox_problems(warehouse: Warehouse, config: Settings) -> Iterator[InboxProblem]:
    """Folders that are no profile's, and profiles whose files nobody took for :data:`WAITED_MINUTES`.

    Raises:
        TransientError: the inbox can't be read.
    """
    if not config.enable_kdp:
        return
    files = kdp_files.c
    before = now().timestamp() - WAITED_MINUTES * 60
    with warehouse.read() as connection:
        owners = set(connection.execute(select(profiles.c.id)).scalars())
        open_states = or_(files.state == "looked", files.state == "settled")
        waiting = set(connection.execute(select(files.location).where(open_states)).scalars())
        known = set(connection.execute(select(files.location)).scalars())
    found = listing(config.inbox)
    for stray in _strays(found, owners)[:20]:
        text = f"{stray} in the inbox is no profile's folder."
        hint = f"Put the report into KDP_INBOX/PROFILE, or: creator-pipeline profiles add {stray} --email …"
        yield InboxProblem(f"inbox/stray/{stray}", "A report", text, hint)
    late: dict[str, int] = defaultdict(int)
    for each in found:
        untouched = each.location in waiting or each.location not in known
        if each.folder in owners and untouched and each.modified_ns / 1e9 < before:
            late[each.folder] += 1
    for owner, count in sorted(late.items()):
        text = (
            f"{count} reports of {owner} lie in the inbox for more than {WAITED_MINUTES} minutes and nobody took them."
        )
        hint = "Is dagster-daemon running, and the sensor kdp_inbox on (UI, Automation)?"
        yield InboxProblem(f"inbox/late/{owner}", "The inbox", text, hint, owner)


def _strays(found: Iterable[ListedFile], owners: Collection[str]) -> list[str]:
    return sorted({each.folder or each.location for each in found} - set(owners))


def without_verdict(warehouse: Warehouse, partitions: Sequence[str]) -> list[str]:
    """Failed partitions whose upload isn't stored. An upload that is stored has a verdict, and its owner was told."""
    if not partitions:
        return []
    with warehouse.read() as connection:
        ids = connection.execute(select(kdp_uploads.c.id)).scalars()
        stored = {upload_id[:PARTITION_DIGITS] for upload_id in ids}
    return [key for key in partitions if key not in stored]
