"""What a refused token leads to: the connection is marked, and its owner told once."""

from __future__ import annotations

import logging

from creator_pipeline import settings
from creator_pipeline.core.errors import AuthError, PipelineError
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.profiles import mark_revoked

_log = logging.getLogger(__name__)


def note_auth(warehouse: Warehouse, provider: str, profile_id: str, error: PipelineError) -> None:
    """Mark the connection when the platform says that its token is gone; other errors change nothing."""
    if not isinstance(error, AuthError) or not error.revoked:
        return
    with warehouse.write() as connection:
        marked = mark_revoked(connection, provider, profile_id, error.message)
    if not marked:
        return
    from creator_pipeline.mail.notify import notify_revoked

    try:
        notify_revoked(
            warehouse,
            settings.load(),
            profile_id=profile_id,
            provider=provider,
            reason=error.message,
            next_step=error.hint,
        )
    except Exception:  # noqa: BLE001 - a mail must not hide the reason
        # The run's own failure tells of it too; a mail that can't be written must not hide the reason.
        _log.exception("The mail about %s of %s could not be written", provider, profile_id)
