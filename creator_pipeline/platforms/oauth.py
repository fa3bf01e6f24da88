"""Connecting an account in the browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from creator_pipeline.core.errors import TransientError
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
        use_state: notes in the transaction that stores the tokens that this answer was used; False where it was
            before.
        until: moment of ``time.monotonic`` by which all of it must be over.
        kept: of an :class:`UnfinishedError` of an earlier try with the same answer; empty for a first one.
        replace: an operator said that the account may be another one than the profile's sales are of.
    """

    config: Settings
    warehouse: Warehouse
    ring: KeyRing
    queue: JobQueue
    profile_id: str
    code: str
    verifier: str
    use_state: Callable[[Connection], bool]
    until: float
    kept: str = ""
    replace: bool = False


class UnfinishedError(TransientError):
    """The platform has given its tokens for the code, which is used now, and what came after that failed.

    Args:
        cause: what failed.
        kept: the tokens, for ``Connecting.kept`` of the next try. Secret.
    """

    def __init__(self, cause: TransientError, kept: str) -> None:
        super().__init__(cause.message, hint=cause.hint)
        self.kept = kept


@dataclass(frozen=True, slots=True)
class OAuth:
    """Connecting an account in the browser. The gateway keeps state and cookie.

    Attributes:
        callback_path: of the route that the platform sends the browser back to.
        check: raises ConfigError where the application is not set up.
        authorize_url: (settings, state, PKCE verifier) to the platform's page.
        connect: stores tokens, registers webhooks, adds the first job to the queue; raises PipelineError,
            an OtherAccountError where the account is not the profile's. After a TransientError the same answer is
            good once more.
        events: kinds of events that ``connect`` registers webhooks for.
        where_to_revoke: where a person takes the connection back, as a sentence.
    """

    callback_path: str
    check: Callable[[Settings], object]
    authorize_url: Callable[[Settings, str, str], str]
    connect: Callable[[Connecting], Connected]
    events: int
    where_to_revoke: str
