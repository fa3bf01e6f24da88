"""What channels are told of work that ended: one notice for a backfill, however many profiles it was of, and for files.

Owners have mails of their own, each about their part. Notices name profiles by their ids, and neither files nor people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from creator_pipeline.core.text import number
from creator_pipeline.mail import alerts
from creator_pipeline.mail.alerts import Notice
from creator_pipeline.mail.outbox import digest, event_key
from creator_pipeline.mail.owner_words import partitions_text
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.source import Source


def tell_backfill(
    warehouse: Warehouse,
    settings: Settings,
    backfill_id: str,
    source: Source,
    left: Mapping[str, Sequence[str]],
    partitions: int,
    page: str = "",
) -> list[str]:
    """Tell that a backfill ended; once more when it was resumed and ends otherwise. Returns the notices' ids.

    Args:
        warehouse: has the outbox.
        settings: name the channels.
        backfill_id: the same from every teller.
        source: the platform that was read.
        left: partitions that did not land, by profile; nothing for one whose partitions all landed.
        partitions: number of partitions of all profiles.
        page: its address in the Dagster UI, where it has one.
    """
    if not alerts.wanted(settings, "backfill"):
        return []
    bad = {profile: keys for profile, keys in left.items() if keys}
    failed = sum(map(len, bad.values()))
    word = "backfill-failed" if failed else "backfill"
    said = f"{number(failed, 'partition')} failed" if failed else "nothing failed"
    facts: list[tuple[str, object]] = [
        ("Profiles", number(len(left), "profile") if len(left) > 1 else next(iter(left))),
        ("Partitions", f"{partitions:,}"),
    ]
    facts += [(f"Failed of {profile}", partitions_text(keys)) for profile, keys in sorted(bad.items())[: alerts.SHOWN]]
    if len(bad) > alerts.SHOWN:
        facts.append(("", f"And of {number(len(bad) - alerts.SHOWN, 'more profile')}."))
    if failed:
        facts.append(("Next step", "Run the same backfill again: it does only what is left."))
    facts.append(("Backfill", page))
    notice = Notice(
        event_key(word, backfill_id, source.name, digest(*sorted(bad)) if bad else "all"),
        "backfill",
        f"{source.label}: backfill finished, {said}",
        facts,
        "warning" if failed else "success",
        next(iter(left)) if len(left) == 1 else None,
    )
    with warehouse.write() as connection:
        return alerts.add(connection, settings, notice)


def tell_files(
    connection: Connection, settings: Settings, key: str, source: Source, profile_id: str, count: int, bad: int
) -> list[str]:
    """Tell of files that came together. Returns the notices' ids.

    Args:
        connection: in the transaction that notes that the files are told.
        settings: name the channels.
        key: of the event, as its mail has it.
        source: the platform.
        profile_id: whose files.
        count: of all files.
        bad: of those that don't count.
    """
    files = number(count, "file")
    title = f"{source.label}: {bad:,} of {files} refused or held" if bad else f"{source.label}: {files} read"
    facts = [("Profile", profile_id), ("Next step", "Their owner's page names the place in each file." if bad else "")]
    notice = Notice(key, "files", title, facts, "warning" if bad else "success", profile_id)
    return alerts.add(connection, settings, notice)
