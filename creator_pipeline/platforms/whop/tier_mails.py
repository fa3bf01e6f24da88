"""A profile's tier changed: its owner is told, once."""

from __future__ import annotations

import logging

from sqlalchemy import Connection, select

from creator_pipeline import settings
from creator_pipeline.core.errors import PipelineError
from creator_pipeline.store.tables import profiles

_log = logging.getLogger(__name__)


def on_tier_change(
    connection: Connection, profile_id: str, tier: str, plan_name: str | None, *, change_id: str
) -> str | None:
    """Store the mail "subscription updated" within the transaction that changes the tier; returns its id.

    Args:
        change_id: the same for every teller of the same change.
    """
    from creator_pipeline.mail import outbox
    from creator_pipeline.mail.outbox import Mail, digest, event_key
    from creator_pipeline.mail.values import tier_values

    owner = connection.execute(select(profiles.c.email, profiles.c.notify).where(profiles.c.id == profile_id)).one()
    if owner.notify == "none":
        return None
    key = event_key("subscription", digest(profile_id, tier, plan_name or "", change_id))
    values = tier_values(tier, plan_name)
    try:
        outbox.add(connection, settings.load(), Mail(key, "subscription_updated", owner.email, values, profile_id))
    except PipelineError as error:
        # Nobody's tier may hang on an address that can't be used.
        _log.warning("The change of %s's tier can't be mailed: %s", profile_id, error)
        return None
    return key
