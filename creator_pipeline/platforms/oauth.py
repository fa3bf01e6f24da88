"""Connecting an account in the browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse


class Connected(NamedTuple):
    """What connecting by OAuth made.

    Attributes:
        job_id: of the first sync.
        hooks: webhooks that are registered.
        problem: why there are none, where ``hooks`` is 0.
        account: what the platform calls the account; empty where it doesn't tell.
    """

    job_id: str
    hooks: int
    problem: str
    account: str = ""


class Connecting(NamedTuple):
    """What connecting by OAuth works with.

    Attributes:
        queue: takes the job of the first sync.
        code: of the platform's answer.
        verifier: PKCE's secret.
        replace: an operator said that the account may be another one than the profile's sales are of.
    """

    config: Settings
    warehouse: Warehouse
    ring: KeyRing
    queue: JobQueue
    profile_id: str
    code: str
    verifier: str
    replace: bool = False


@dataclass(frozen=True, slots=True)
class OAuth:
    """Connecting an account in the browser. The gateway keeps state and cookie.

    Attributes:
        callback_path: of the route that the platform sends the browser back to.
        check: raises ConfigError where the application is not set up.
        authorize_url: (settings, state, PKCE verifier) to the platform's page.
        connect: stores tokens, registers webhooks, adds the first job to the queue; raises PipelineError,
            an OtherAccountError where the account is not the profile's.
        events: kinds of events that ``connect`` registers webhooks for.
        where_to_revoke: where a person takes the connection back, as a sentence.
    """

    callback_path: str
    check: Callable[[Settings], object]
    authorize_url: Callable[[Settings, str, str], str]
    connect: Callable[[Connecting], Connected]
    events: int
    where_to_revoke: str
