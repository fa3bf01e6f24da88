"""What a refused token leads to: the connection is marked as revoked, and its owner is told once."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager

from creator_pipeline import settings
from creator_pipeline.core.errors import AuthError, PipelineError
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.profiles import mark_revoked
from creator_pipeline.store.source import Source

_log = logging.getLogger(__name__)


@contextmanager
def noting_refusals(warehouse: Warehouse, source: Source, profile_id: str) -> Generator[None]:
    """Mark the connection where the platform refuses its token within the block; the error goes on."""
    try:
        yield
    except PipelineError as error:
        note_refusal(warehouse, source, profile_id, error)
        raise


def note_refusal(warehouse: Warehouse, source: Source, profile_id: str, error: PipelineError) -> None:
    """Mark the connection when the platform says that its token is gone; other errors change nothing.

    Args:
        source: the platform that answered.
        profile_id: whose token it is.
        error: what became of the request.
    """
    if not isinstance(error, AuthError) or not error.revoked:
        return
    with warehouse.write() as connection:
        marked = mark_revoked(connection, source.provider, profile_id, error.message)
    if not marked:
        return
    from creator_pipeline.mail.notify import notify_revoked

    try:
        notify_revoked(
            warehouse,
            settings.load(),
            profile_id=profile_id,
            source=source,
            reason=error.message,
        )
    except Exception:  # noqa: BLE001 - a mail must not hide the reason
        # The run's own failure tells of it too.
        _log.exception("The mail about %s of %s could not be written", source.name, profile_id)
