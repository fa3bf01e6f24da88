"""What follows from a refused token: the connection is marked as revoked, and its owner gets one mail."""

from __future__ import annotations

import logging

from creator_pipeline import settings
from creator_pipeline.core.errors import AuthError, PipelineError
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.profiles import mark_revoked

_log = logging.getLogger(__name__)


def note_refused_token(warehouse: Warehouse, provider: str, profile_id: str, error: PipelineError) -> None:
    """Mark a profile's connection as revoked and mail its owner, if ``error`` says that the token is revoked.

    Any other error changes nothing, nor does a connection that is marked already.

    Args:
        warehouse: holds the connection and the outbox of mails.
        provider: name of the platform.
        profile_id: whose connection.
        error: what a request of the platform ended with.
    """
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
    except Exception:  # noqa: BLE001 - the run fails with the reason itself; a mail that can't be written must not hide it
        _log.exception("The mail about %s of %s could not be written", provider, profile_id)
