"""Asks a seller to connect an account once more, where that lets more be read."""

from __future__ import annotations

from creator_pipeline.mail import history, outbox, page_link
from creator_pipeline.mail.outbox import Mail, digest, event_key
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.source import Source


def notify_consent(
    warehouse: Warehouse, settings: Settings, *, profile_id: str, source: Source, what: str, brings: str
) -> list[str]:
    """A connected account's consent doesn't cover something: its owner is asked once to connect again.

    Args:
        warehouse: has the profile and the outbox.
        settings: of this installation.
        profile_id: whose account.
        source: the platform.
        what: can't be read, in the plural, as ``your payouts``.
        brings: what connecting again brings, a sentence.
    """
    with warehouse.write() as connection:
        owner = history.owner_of(connection, profile_id)
        if owner is None or owner.notify == "none":
            return []
        key = event_key("consent", source.provider, profile_id, digest(what))
        values = {
            "platform": source.label,
            "what": what,
            "brings": brings,
            "url": page_link.url(settings, profile_id, owner.email),
            "next_step": f"Press Connect again beside {source.label} on your page.",
        }
        return outbox.add_each(connection, settings, Mail(key, "consent_needed", owner.email, values, profile_id))
