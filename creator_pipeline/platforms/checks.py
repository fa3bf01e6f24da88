"""What the doctor, health and smoke ask of a platform."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING

from creator_pipeline.core.checks import Check, Finding

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy import Connection

    from creator_pipeline.platforms.webhooks import Account
    from creator_pipeline.queue.jobs import Job
    from creator_pipeline.settings import Settings
    from creator_pipeline.store.engine import Warehouse


@dataclass(frozen=True, slots=True)
class Checks:
    """What doctor, health and smoke ask of the platform, beyond flag, connection and token.

    Attributes:
        setup: (settings) to checks of what is set up once: an OAuth application, a webhook's secret, an inbox.
        account: (settings, account, token) to findings about one connected account: reachable, scopes, clock,
            webhooks. AuthError and PipelineError become findings by themselves.
        health: (warehouse, settings) to checks that ask no platform, on each tick.
        daily: (warehouse, settings, profile id) to the check that asks the platform, once a day for each profile.
        daily_prefix: begins the names of daily checks; what one found is solved when ``daily`` gives it no more.
        smoke: (warehouse, settings) to checks of the figures, after a deployment.
        gave_more: (connection, (profile id, external id) of sales that gave back too much) to those that really did.
        days_named: (connection, job of the queue) to the UTC days that hold what the job names; None where that isn't
            known. A job that ended badly is over once those days are read.
        without_verdict: (warehouse, failed partitions) to those that are a problem; others have their verdict.
    """

    setup: Callable[[Settings], Sequence[Check]] = lambda _config: ()
    account: Callable[[Settings, Account, str], Iterator[Finding]] | None = None
    health: Callable[[Warehouse, Settings], Sequence[Check]] = lambda _warehouse, _config: ()
    daily: Callable[[Warehouse, Settings, str], Check | None] = lambda _warehouse, _config, _profile: None
    daily_prefix: str = ""
    smoke: Callable[[Warehouse, Settings], Sequence[Check]] = lambda _warehouse, _config: ()
    gave_more: Callable[[Connection, Collection[tuple[str, str]]], AbstractSet[tuple[str, str]]] = (
        lambda _connection, _sales: frozenset()
    )
    days_named: Callable[[Connection, Job], Collection[date] | None] = lambda _connection, _job: None
    without_verdict: Callable[[Warehouse, Sequence[str]], Sequence[str]] = lambda _warehouse, failed: failed
