"""What a platform is. Read this before bringing one; docs/adding-a-platform.md walks through it.

A platform is a folder beside this file. Its ``__init__.py`` makes one :class:`Platform`, and
``creator_pipeline/platforms/__init__.py`` has it in ``PLATFORMS``. Everything else loops over that list, so what a
platform leaves out (None, or an empty tuple) is left out everywhere:

==================  ====================================================================================
``credential``      no option of ``profiles add``; profiles don't connect, and no line of the doctor asks
``rate``            requests are not paced
``oauth``           no button on the creator's page, no routes ``/oauth/NAME/…``
``webhooks``        no route ``/webhooks/NAME``; rows come by schedules and backfills only
``uploads``         no route ``/uploads/NAME``, no reports on the creator's page
``dagster``         required: assets, jobs, schedules
``checks``          doctor, health and smoke say nothing beyond connection and flag
``personal``        required: every table of the platform says what an erasure does with it
``known_names``     new fields are not told
``stand_in``        the sandbox and the demo do without it
``commands``        no command of its own
==================  ====================================================================================

The value itself holds only what is cheap to import. What needs Dagster, HTTP or the sandbox stands in a module of the
folder and is named by :class:`Later`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.settings import Settings
from creator_pipeline.store.personal import Personal
from creator_pipeline.store.source import Source, last_dimension

if TYPE_CHECKING:
    import dagster as dg
    from sqlalchemy import Connection

    from creator_pipeline.core.http import Pace
    from creator_pipeline.core.secrets import KeyRing
    from creator_pipeline.core.windows import DayWindow
    from creator_pipeline.platforms.uploads import Uploads
    from creator_pipeline.queue.jobs import JobQueue
    from creator_pipeline.store.engine import Warehouse

Part = TypeVar("Part")
NO_LIMIT = 6_000_000.0
"""Requests a minute of a platform that states no rate."""


@dataclass(frozen=True)
class Later(Generic[Part]):
    """A part of a platform, imported when it is first used.

    Attributes:
        module: below ``creator_pipeline.platforms``, or a whole name outside it.
        name: of the value in that module.
    """

    module: str
    name: str

    def get(self) -> Part:
        """The value."""
        return getattr(importlib.import_module(self.module), self.name)


@dataclass(frozen=True, slots=True)
class Credential:
    """The token or key by which a profile is connected without OAuth.

    Attributes:
        option: of ``profiles add``: ``--NAME-token``.
        help: of that option.
        variable: of the environment, for an installation with one profile.
        account_variable: names the account that ``variable`` belongs to; empty where the token says it.
    """

    option: str
    help: str
    variable: str
    account_variable: str = ""

    def of_environment(self, config: Settings) -> str:
        """The token of ``variable``; empty where it is not set."""
        return config.variable(self.variable).strip()

    def account_of_environment(self, config: Settings) -> str | None:
        """The account that the token of ``variable`` belongs to, where it is set."""
        return (config.variable(self.account_variable) or None) if self.account_variable else None


@dataclass(frozen=True, slots=True)
class Rate:
    """The pace of requests, per token.

    Attributes:
        variable: holds requests per minute.
        default: where that is not set.
    """

    variable: str
    default: float

    def per_minute(self, config: Settings) -> float:
        """Requests of one token in a minute."""
        return float(config.variable(self.variable) or self.default)


class Account(NamedTuple):
    """A row of ``platform_connections``; the token is still encrypted."""

    provider: str
    profile_id: str
    external_account_id: str | None
    status: str
    access_token: str | None = None
    scopes: str | None = None
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A verified webhook, cut down to what is needed to read again.

    Attributes:
        provider: whose route it came by.
        payload: JSON-able; ids, the platform's word and time; no personal data.
        profile_id: told by the address it was sent to.
        account_id: told by the body, so a hint only.
        work: whether anything follows from it.
        alike: another event may come with the same id; it is a repeat, but is worked on as well.
    """

    provider: str
    delivery_id: str
    event_type: str | None
    payload: Mapping[str, Any]
    profile_id: str | None = None
    account_id: str | None = None
    work: bool = True
    alike: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Once per provider and delivery id."""
        return self.provider, self.delivery_id


class RefusedDelivery(Exception):  # noqa: N818 - the answer of a route, not a failure of ours
    """A webhook that isn't the platform's.

    Args:
        status: 401 for a wrong signature, 404 for a wrong address.
        variable: the secret it was compared with; empty where the answer must not tell.
    """

    def __init__(self, status: int, variable: str = "") -> None:
        super().__init__(status)
        self.status, self.variable = status, variable


@dataclass(frozen=True, slots=True)
class Webhooks:
    """What the platform sends to the gateway.

    Attributes:
        path: of the route, as FastAPI writes it: ``/webhooks/NAME/{secret}``.
        content_type: of the bodies.
        needs: the variable without which every delivery is refused.
        description: of the route, for OpenAPI.
        read: (settings, path parameters, headers with lower-case names, raw body) to a delivery; raises
            RefusedDelivery. Reads nothing but its arguments.
        owners: (delivery, the platform's accounts, settings) to the connections that it may be about. More than one
            only costs requests.
        signed_test: (settings) to path, headers and body of a delivery about nothing and of the same with a wrong
            signature, for ``smoke``; to None while ``needs`` is not set. None where deliveries are not signed.
    """

    path: str
    content_type: str
    needs: str
    description: str
    read: Callable[[Settings, Mapping[str, str], Mapping[str, str], bytes], Delivery]
    owners: Callable[[Delivery, Sequence[Account], Settings], Sequence[Account]]
    signed_test: Callable[[Settings], SignedTest | None] | None = None

    @property
    def refusals(self) -> tuple[int, ...]:
        """Statuses of a refusal, for OpenAPI."""
        return (404, 413) if "{" in self.path else (401, 413)


class SignedTest(NamedTuple):
    """A delivery about nothing, for ``smoke``."""

    path: str
    body: bytes
    headers: Mapping[str, str]
    forged: Mapping[str, str]


class Connected(NamedTuple):
    """What connecting by OAuth made. ``problem`` says why there are no webhooks, where ``hooks`` is 0."""

    job_id: str
    hooks: int
    problem: str


class Connecting(NamedTuple):
    """What connecting by OAuth works with.

    Attributes:
        queue: takes the job of the first sync.
        code: of the platform's answer.
        verifier: PKCE's secret.
    """

    config: Settings
    warehouse: Warehouse
    ring: KeyRing
    queue: JobQueue
    profile_id: str
    code: str
    verifier: str


@dataclass(frozen=True, slots=True)
class OAuth:
    """Connecting an account in the browser. The gateway keeps state and cookie.

    Attributes:
        callback_path: of the route that the platform sends the browser back to.
        check: raises ConfigError where the application is not set up.
        authorize_url: (settings, state, PKCE verifier) to the platform's page.
        connect: stores tokens, registers webhooks, adds the first job to the queue; raises PipelineError.
        events: kinds of events that ``connect`` registers webhooks for.
        where_to_revoke: where a person takes the connection back, as a sentence.
    """

    callback_path: str
    check: Callable[[Settings], object]
    authorize_url: Callable[[Settings, str, str], str]
    connect: Callable[[Connecting], Connected]
    events: int
    where_to_revoke: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """A line of the table of schedules: one run for each connected profile.

    Attributes:
        name: of the schedule.
        cron: when, in UTC.
        job: what runs.
        trigger: why, in the run's tags: ``nightly``, ``lookback``, ``drift``.
        why: its description in the UI.
        days: the run reads the last ``days`` days up to today; 0: a partition is a profile, not a day.
        window: replaces ``days``: (day, last sync of the profile, first partition) to the days to read.
        config: (profile id) to the run config of a job without partitions.
        key: begins the run keys; ``trigger`` where it is empty.
    """

    name: str
    cron: str
    job: str
    trigger: str
    why: str
    days: int = 0
    window: Callable[[date, datetime | None, date], DayWindow] | None = None
    config: Callable[[str], Mapping[str, Any]] | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Backfill:
    """What ``creator-pipeline backfill NAME`` runs.

    Attributes:
        job: reads days.
        assets: a day is done when all of these have landed.
        snapshot: the job that reads what has no days, by profile.
    """

    job: str
    assets: Sequence[dg.AssetKey]
    snapshot: str


@dataclass(frozen=True, slots=True)
class Refresh:
    """The job that works off the queue's jobs of one profile.

    Attributes:
        job: takes ids of jobs with the attempt that was claimed.
        config: (profile id, leases) to its run config.
    """

    job: dg.JobDefinition
    config: Callable[[str, list[str]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class DagsterParts:
    """What the platform brings to Dagster.

    Attributes:
        assets, checks, jobs, sensors: definitions, merged with the installation's own.
        resource: the platform's client, by the platform's name; None where no API is read.
        ledger: the asset of the platform's part of the ledger: ``daily_revenue`` follows it.
        schedules: lines of the one table.
        backfill, refresh: None where there are no days to read, or no webhooks.
    """

    assets: Sequence[dg.AssetsDefinition]
    ledger: dg.AssetKey
    jobs: Sequence[Any]
    resource: dg.ConfigurableResource[Any] | None = None
    checks: Sequence[dg.AssetChecksDefinition] = ()
    sensors: Sequence[dg.SensorDefinition] = ()
    schedules: Sequence[Schedule] = ()
    backfill: Backfill | None = None
    refresh: Refresh | None = None


@dataclass(frozen=True, slots=True)
class Checks:
    """What doctor, health and smoke ask of the platform, beyond flag, connection and token.

    Attributes:
        setup: (settings) to checks of what is set up once: an OAuth application, a webhook's secret, an inbox.
        account: (settings, account, token) to findings about one connected account: reachable, scopes, clock,
            webhooks. AuthError and PipelineError become findings by themselves.
        health: (warehouse, settings) to checks that ask no platform, on each tick.
        daily: (warehouse, settings, profile id) to the check that asks the platform, once a day for each profile.
        daily_prefix: what the names of daily checks begin with: ``pings/``. What such a check found is solved when
            ``daily`` gives no check of its name any more.
        smoke: (warehouse, settings) to checks of the figures, after a deployment.
        without_verdict: (warehouse, failed partitions) to those that are a problem; others have their verdict.
    """

    setup: Callable[[Settings], Sequence[Check]] = lambda _config: ()
    account: Callable[[Settings, Account, str], Iterator[Finding]] | None = None
    health: Callable[[Warehouse, Settings], Sequence[Check]] = lambda _warehouse, _config: ()
    daily: Callable[[Warehouse, Settings, str], Check | None] = lambda _warehouse, _config, _profile: None
    daily_prefix: str = ""
    smoke: Callable[[Warehouse, Settings], Sequence[Check]] = lambda _warehouse, _config: ()
    without_verdict: Callable[[Warehouse, Sequence[str]], Sequence[str]] = lambda _warehouse, failed: failed


class PageLine(NamedTuple):
    """The platform's line on the creator's page, where it has no connection."""

    state: str
    detail: str
    good: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """One platform.

    Attributes:
        name: of its folder, asset group, jobs and flag (``ENABLE_NAME``); source of its jobs in the queue.
        label: for people.
        colour: of its bars in the chart, as ``#rrggbb``.
        provider: in ``platform_connections`` and the ledger; ``name`` where it is left out.
        partitions: name of the dynamic partitions: of its connected profiles, or of its uploads.
        where_to_connect: what an operator does to connect a profile again, with ``{profile_id}``.
        known_names: names that this release knows, by what they are names of: ``{"sale field": …}``.
        owner_of_partition: (warehouse, partition key) to the profile whose it is.
        named_unit: whether a partition is a thing of its own in mails (a file), and not a day of its source.
        buyer_accounts: begins the account ids of connections that a buyer made; the creator's page leaves them out.
        page_line: (connection, profile id) to the line of the creator's page, where profiles don't connect.
        stand_in: a ``creator_pipeline.sandbox.stand_in.StandIn``; no module of production names that room.
        commands: command to module.
    """

    name: str
    label: str
    colour: str
    provider: str = ""
    partitions: str
    dagster: Later[DagsterParts]
    personal: Personal
    credential: Credential | None = None
    rate: Rate | None = None
    oauth: Later[OAuth] | None = None
    webhooks: Later[Webhooks] | None = None
    uploads: Later[Uploads] | None = None
    checks: Later[Checks] | None = None
    stand_in: Later[Any] | None = None
    where_to_connect: str = ""
    known_names: Mapping[str, AbstractSet[str]] = field(default_factory=dict[str, AbstractSet[str]])
    owner_of_partition: Callable[[Warehouse, str], str | None] = last_dimension
    named_unit: bool = False
    buyer_accounts: str = ""
    page_line: Callable[[Connection, str], PageLine] | None = None
    commands: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def in_ledger(self) -> str:
        """What ``platform_connections`` and ``sales_events`` call it."""
        return self.provider or self.name

    @property
    def source(self) -> Source:
        """What the lower rooms are told of it."""
        return Source(self.name, self.label, self.in_ledger, self.colour, self.owner_of_partition, self.named_unit)

    def pace(self, config: Settings, token: str) -> Pace:
        """The pace of one token's requests, shared by all processes."""
        from creator_pipeline.queue.pace import pace_for

        return pace_for(config, self.name, token, self.rate.per_minute(config) if self.rate else NO_LIMIT)

    @property
    def connects(self) -> bool:
        """Whether profiles connect an account."""
        return self.credential is not None or self.oauth is not None
