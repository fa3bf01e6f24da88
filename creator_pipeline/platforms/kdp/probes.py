"""What doctor and health ask of the inbox: files that belong to nobody, files that nobody took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

from sqlalchemy import inspect, or_, select

from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.text import number
from creator_pipeline.core.windows import now
from creator_pipeline.platforms.checks import Checks
from creator_pipeline.platforms.kdp.files import ListedFile, listing
from creator_pipeline.platforms.kdp.ledger import PARTITION_DIGITS
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse, connect_as_is
from creator_pipeline.store.tables import kdp_files, kdp_uploads, profiles

WAITED_MINUTES = 10
"""A complete file that nobody took for so long is a problem."""
_SHOWN_BY_DOCTOR, _SHOWN_BY_HEALTH = 5, 20


def setup(config: Settings) -> Sequence[Check]:
    """The inbox."""
    return [Check("kdp inbox", lambda: _inbox(config))]


def _inbox(config: Settings) -> Iterator[Finding]:
    """Whether it can be read, and every file is in the folder of a profile."""
    if not config.enable_kdp:
        yield Finding("kdp inbox", "off", "ENABLE_KDP is off.")
        return
    found, owners = listing(config.inbox), set[str]()
    with connect_as_is(config.warehouse_url) as connection:
        if connection is not None and inspect(connection).has_table(profiles.name):
            owners = set(connection.execute(select(profiles.c.id)).scalars())
    if strays := _strays(found, owners):
        named = f"{', '.join(strays[:_SHOWN_BY_DOCTOR])} {'is' if len(strays) == 1 else 'are'}"
        hint = "Reports go to KDP_INBOX/PROFILE/FILE; add a profile or rename the folder."
        yield Finding("kdp inbox", "no", f"In {config.inbox}: {named} no profile's folder.", hint)
        return
    yield Finding("kdp inbox", "ok", f"{config.inbox}: {number(len(found), 'file')}")


def health(warehouse: Warehouse, config: Settings) -> Sequence[Check]:
    """Folders that are no profile's, and profiles whose reports nobody took."""
    return [Check("inbox/", lambda: _strays_and_late(warehouse, config))]


def _strays_and_late(warehouse: Warehouse, config: Settings) -> Iterator[Finding]:
    if not config.enable_kdp:
        return
    files = kdp_files.c
    with warehouse.read() as connection:
        owners = set(connection.execute(select(profiles.c.id)).scalars())
        open_states = or_(files.state == "looked", files.state == "settled")
        waiting = set(connection.execute(select(files.location).where(open_states)).scalars())
        known = set(connection.execute(select(files.location)).scalars())
    found = listing(config.inbox)
    for stray in _strays(found, owners)[:_SHOWN_BY_HEALTH]:
        text = f"{stray} in the inbox is no profile's folder."
        hint = f"Put the report into KDP_INBOX/PROFILE, or: creator-pipeline profiles add {stray} --email ADDRESS"
        yield Finding(f"inbox/stray/{stray}", "no", text, hint, "A report")
    before = now().timestamp() - WAITED_MINUTES * 60
    late: dict[str, int] = defaultdict(int)
    for each in found:
        untouched = each.location in waiting or each.location not in known
        if each.folder in owners and untouched and each.modified_ns / 1e9 < before:
            late[each.folder] += 1
    for owner, count in sorted(late.items()):
        waited = f"in the inbox for more than {WAITED_MINUTES} minutes, taken by nobody."
        hint = "Is dagster-daemon running, and the sensor kdp_inbox on (UI, Automation)?"
        yield Finding(
            f"inbox/late/{owner}", "no", f"{number(count, 'report')} of {owner} {waited}", hint, "The inbox", owner
        )


def _strays(found: Iterable[ListedFile], owners: Collection[str]) -> list[str]:
    return sorted({each.folder or each.location for each in found} - set(owners))


def without_verdict(warehouse: Warehouse, failed: Sequence[str]) -> Sequence[str]:
    """Failed partitions whose upload isn't stored. An upload that is stored has a verdict, and its owner was told."""
    if not failed:
        return failed
    with warehouse.read() as connection:
        ids = connection.execute(select(kdp_uploads.c.id)).scalars()
        judged = {upload_id[:PARTITION_DIGITS] for upload_id in ids}
    return [key for key in failed if key not in judged]


CHECKS = Checks(setup=setup, health=health, without_verdict=without_verdict)
