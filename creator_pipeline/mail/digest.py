"""The weekly digest: one mail for each profile that wants it and each ISO week, with a picture and words for it.

It goes to profiles whose ``notify`` is ``every``, which somebody must have chosen, and is turned off by itself in its
own category. A week in which nothing was booked, after one in which nothing was, is not told.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select

from creator_pipeline.core.money import for_people
from creator_pipeline.ledger import weekly
from creator_pipeline.ledger.chart import SMALL, draw, sums, words
from creator_pipeline.ledger.rollup import last_days
from creator_pipeline.ledger.weekly import Week
from creator_pipeline.mail import history, outbox
from creator_pipeline.mail.outbox import Mail, event_key
from creator_pipeline.mail.render import counted, one_line
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.source import Source, label_of
from creator_pipeline.store.tables import profiles

PICTURE_DAYS = 90
PICTURE = "revenue"
"""The picture's content id."""


def readers(warehouse: Warehouse) -> list[str]:
    """Profiles that want a digest."""
    with warehouse.read() as connection:
        return list(
            connection.execute(
                select(profiles.c.id).where(profiles.c.notify == "every").order_by(profiles.c.id)
            ).scalars()
        )


def write(
    warehouse: Warehouse, settings: Settings, profile_id: str, monday: date, sources: Sequence[Source]
) -> str | None:
    """Put a profile's digest of a week into the outbox; returns its key, or None where nothing is told.

    Args:
        warehouse: holds ledger and outbox.
        settings: of the installation.
        profile_id: whose week.
        monday: its first day.
        sources: the platforms, with their labels and colours.
    """
    key = event_key("digest", profile_id, weekly.iso_name(monday))
    with warehouse.read() as connection:
        owner = history.owner_of(connection, profile_id)
        if owner is None or owner.notify != "every":
            return None
        if history.known(connection, key):
            return key
        week = weekly.read(connection, profile_id, monday)
    if not week.nets:
        return None
    days = last_days(warehouse, week.sunday - timedelta(days=PICTURE_DAYS - 1), week.sunday, profile_id)
    picture = {
        "filename": f"revenue-{week.sunday}.png",
        "content": base64.b64encode(draw(days, week.sunday, sources, PICTURE_DAYS, SMALL)).decode(),
        "content_type": "image/png",
        "content_id": PICTURE,
    }
    shown = values(week, sources) | {
        "picture_words": f"Net revenue of the {PICTURE_DAYS} days to {week.sunday}: {words(sums(days), sources)}."
    }
    outbox.write(warehouse, settings, Mail(key, "weekly_digest", owner.email, shown, profile_id, attachments=[picture]))
    return key


def values(week: Week, sources: Sequence[Source]) -> dict[str, Any]:
    """What the templates name, but for the picture's words."""
    return {
        "week": week.monday.isocalendar().week,
        "days": f"Monday {_day(week.monday)} to Sunday {_day(week.sunday)} {week.sunday.year}",
        "nets": [
            (
                label_of(sources, n.platform),
                *(for_people(micros, n.currency) for micros in (n.this, n.before)),
            )
            for n in week.nets
            if n.this or n.before
        ],
        "products": [
            (
                f"{one_line(p.name)} ({label_of(sources, p.platform)}, {counted(p.units, 'unit')})",
                for_people(p.net, p.currency),
            )
            for p in week.products
        ],
        "refunds": [(label_of(sources, r.platform), r.times, for_people(r.gross, r.currency)) for r in week.refunds],
        "late": [(label_of(sources, n.platform), for_people(n.late, n.currency)) for n in week.nets if n.late],
        "picture": PICTURE,
    }


def _day(day: date) -> str:
    return f"{day.day} {day:%B}"
