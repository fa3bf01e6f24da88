"""Whether the rows of all payouts were made anew since a reading changed one of them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, and_, exists, select

from creator_pipeline.platforms.gumroad.ledger_store import PLATFORM
from creator_pipeline.store.load import upsert
from creator_pipeline.store.tables import stream_reads

_READS = stream_reads.c
_STREAM = "payouts, all rows made anew"
"""Of the row that stands while nothing is left to do."""


def _mine(profile_id: str):
    return and_(_READS.provider == PLATFORM, _READS.profile_id == profile_id, _READS.stream == _STREAM)


def is_left(connection: Connection, profile_id: str) -> bool:
    """Whether a reading changed a payout and didn't come to its end, as one that was killed."""
    return not connection.execute(select(exists().where(_mine(profile_id)))).scalar_one()


def begin(connection: Connection, profile_id: str) -> None:
    """A payout changes in this transaction: until the rows of all are made anew, that is left to do."""
    connection.execute(stream_reads.delete().where(_mine(profile_id)))


def end(connection: Connection, profile_id: str, moment: datetime) -> None:
    """The rows of all payouts are made anew in this transaction.

    Args:
        connection: of the transaction.
        profile_id: whose payouts.
        moment: when they were.
    """
    upsert(connection, stream_reads, [(PLATFORM, profile_id, _STREAM, "", "", moment)])
