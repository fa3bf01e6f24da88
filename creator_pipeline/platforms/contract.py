"""What a platform is. Read this before bringing one; docs/adding-a-platform.md walks through it.

A platform is a folder beside this file. Its ``__init__.py`` makes one :class:`Platform`, and
``creator_pipeline/platforms/__init__.py`` has it in ``PLATFORMS``. Everything else loops over that list, so what a
platform leaves out (None, or an empty tuple) is left out everywhere:

====================  ====================================================================================
``credential``        no option of ``profiles add``; profiles don't connect, and no line of the doctor asks
``rate``              requests are not paced
``oauth``             no button on the creator's page, no routes ``/oauth/NAME/…``
``webhooks``          no route ``/webhooks/NAME``; rows come by schedules and backfills only
``uploads``           no route ``/uploads/NAME``, no reports on the creator's page
``dagster``           required: assets, jobs, schedules
``checks``            doctor, health and smoke say nothing beyond connection and flag
``personal``          required: every table of the platform says what an erasure does with it
``books``             no payouts, no asset ``books/NAME``
``daily``             nobody is told that a profile wasn't read for long
``first_load``        a new profile waits for the nightly run or a backfill
``known_names``       new fields are not told
``account_of_token``  whose account a token is isn't asked, so another account's is not noticed
``own_rates``         its rows have no rate of exchange of its own; those of the ECB count
``tables``            no tables by declaration
``origin``            the lineage of its assets begins with them
``other_ids``         a product has the ledger's id alone
``spans``, ``shared``  none of it in ``subscriptions_daily``; no products, no subscriptions in frames and exports
``stand_in``           the sandbox and the demo do without it
``commands``           no command of its own
====================  =============================================================================

What needs Dagster, HTTP or the sandbox stands in a module of the folder and is named by :class:`Later`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from creator_pipeline.store.source import Source, last_dimension

if TYPE_CHECKING:
    from datetime import date, time

    from sqlalchemy import Connection, Row, SelectBase

    from creator_pipeline.core.http import Pace
    from creator_pipeline.ledger.subscriptions import Span
    from creator_pipeline.platforms.books import Books
    from creator_pipeline.platforms.checks import Checks
    from creator_pipeline.platforms.dagster_parts import DagsterParts
    from creator_pipeline.platforms.oauth import OAuth
    from creator_pipeline.platforms.uploads import Uploads
    from creator_pipeline.platforms.webhooks import Webhooks
    from creator_pipeline.settings import Settings
    from creator_pipeline.store.accounts import SellerAccount
    from creator_pipeline.store.engine import Warehouse
    from creator_pipeline.store.personal import Personal
    from creator_pipeline.store.table_streams import TableStream
    from creator_pipeline.store.table_views import TableView

Part = TypeVar("Part")
NO_LIMIT = 6_000_000.0
"""Requests a minute of a platform that states no rate."""


@dataclass(frozen=True)
class Later(Generic[Part]):
    """A part of a platform, imported when it is first used.

    Attributes:
        module: its whole name.
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


OwnRates = Callable[["Connection", "Sequence[Row[Any]]"], "Mapping[str, tuple[str, int, int, date, str]]"]
"""To a row's id: currency, micros of it, for so many micros of the row's, day, source."""


class Shared(NamedTuple):
    """What a platform has of a table that all platforms share: ``products`` or ``subscriptions``.

    Attributes:
        statement: its rows, in the columns of that table, in their order (see the other platforms').
        follows: the asset that fills it.
    """

    statement: SelectBase
    follows: str


class SubscriptionSpans(NamedTuple):
    """The subscriptions that a platform sells.

    Attributes:
        follows: the assets that they come from.
        spans: (connection, profile id) to each from its first day to its last.
    """

    follows: tuple[str, ...]
    spans: Callable[[Connection, str], Iterable[Span]]


class Daily(NamedTuple):
    """The schedule that keeps the profiles fresh.

    Attributes:
        schedule: its name.
        at: when it is due, UTC.
    """

    schedule: str
    at: time


class Origin(NamedTuple):
    """What a platform's rows are read from, outside of the pipeline.

    Attributes:
        about: a sentence for people.
        url: of the platform's own page about it.
    """

    about: str
    url: str


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
        unit_name: (warehouse, partition key) to what people call that thing; None where the key is its name.
        buyer_accounts: begins the account ids of connections that a buyer made; the creator's page leaves them out.
        account_of_token: (settings, token) to the account that it is of; None where the platform doesn't tell.
        page_line: (connection, profile id) to the line of the creator's page, where profiles don't connect.
        stand_in: a ``creator_pipeline.sandbox.stand_in.StandIn``; no module of production names that room.
        commands: command to module.
        own_rates: (connection, rows of the ledger) to their rates as the platform told them, see :data:`OwnRates`.
        other_ids: (connection, profile id) to further ids of its products, by the ledger's.
        spans: the subscriptions that it sells, by day.
        tables, views: plain tables, read or made of stored rows, by declaration.
        shared, daily: table of all platforms to what it has of it; the schedule that reads two days of every profile.
        first_load: whether ``NAME_refresh`` takes jobs of kind ``initial_sync``.
        origin: where its rows come from: the first asset of its lineage.
        page: of the folder ``docs`` that tells of it, as ``NAME.md``; empty where there is none.
    """

    name: str
    label: str
    colour: str
    provider: str = ""
    partitions: str
    dagster: Later[DagsterParts]
    personal: Later[Personal]
    credential: Credential | None = None
    rate: Rate | None = None
    oauth: Later[OAuth] | None = None
    webhooks: Later[Webhooks] | None = None
    uploads: Later[Uploads] | None = None
    checks: Later[Checks] | None = None
    books: Later[Books] | None = None
    stand_in: Later[Any] | None = None
    where_to_connect: str = ""
    known_names: Mapping[str, AbstractSet[str]] = field(default_factory=dict[str, AbstractSet[str]])
    owner_of_partition: Callable[[Warehouse, str], str | None] = last_dimension
    named_unit: bool = False
    unit_name: Callable[[Warehouse, str], str] | None = None
    buyer_accounts: str = ""
    account_of_token: Later[Callable[[Settings, str], SellerAccount | None]] | None = None
    page_line: Later[Callable[[Connection, str], PageLine]] | None = None
    commands: Mapping[str, str] = field(default_factory=dict[str, str])
    own_rates: Later[OwnRates] | None = None
    tables: Later[Sequence[TableStream]] | None = None
    views: Later[Sequence[TableView]] | None = None
    other_ids: Later[Callable[[Connection, str], Mapping[str, AbstractSet[str]]]] | None = None
    spans: Later[SubscriptionSpans] | None = None
    shared: Mapping[str, Later[Shared]] = field(default_factory=dict[str, "Later[Shared]"])
    daily: Daily | None = None
    first_load: bool = False
    origin: Origin | None = None
    page: str = ""

    @property
    def in_ledger(self) -> str:
        """What ``platform_connections`` and ``sales_events`` call it."""
        return self.provider or self.name

    @property
    def source(self) -> Source:
        """What the lower rooms are told of it."""
        return Source(
            self.name,
            self.label,
            self.in_ledger,
            self.colour,
            self.owner_of_partition,
            self.named_unit,
            self.unit_name,
            self.daily.at if self.daily else None,
            self.origin is not None,
            self.page,
        )

    @property
    def partitions_name(self) -> str:
        """What Dagster's instance calls the dynamic partitions."""
        from creator_pipeline import settings

        return settings.load().shared_name(self.partitions)

    def pace(self, config: Settings, token: str) -> Pace:
        """The pace of one token's requests, shared by all processes."""
        from creator_pipeline.queue.pace import pace_for

        return pace_for(config, self.name, token, self.rate.per_minute(config) if self.rate else NO_LIMIT)

    @property
    def connect_option(self) -> str:
        """The option of ``profiles add`` that connects an account; empty where there is none."""
        return self.credential.option if self.credential else ""

    @property
    def connects(self) -> bool:
        """Whether profiles connect an account."""
        return self.credential is not None or self.oauth is not None
