"""What a platform brings to the sandbox and to the demo. Read this before bringing a stand-in.

A stand-in is a module ``sandbox/stand_in.py`` in the platform's folder. It makes one value, ``STAND_IN``, and the
platform names it: ``stand_in=Later[Any]("creator_pipeline.platforms.NAME.sandbox.stand_in", "STAND_IN")``. Everything
else loops over the platforms. No module of production imports it.

What a stand-in leaves out (None) is left out everywhere:

===============  =====================================================================================
``invent``       the platform has no part of the invented world, so it isn't served: a platform without an API
``serve``        required with ``invent``
``fault_kinds``  only faults that concern every platform
``environment``  the demo sets no variables for it
``accounts``     the demo connects no profile to it and reads no days of it
``register``     the demo asks it for no webhooks
``upload``       the demo puts no file into an inbox
``sell``         the demo shows no webhook of it
``compare``      required: what the ledger holds of it, beside what is true
===============  =====================================================================================

The life of a world: ``invent`` makes the platform's part of it, ``serve`` makes the routes over that part, and the
server answers with the routes of all platforms. The demo runs the server in another process: what it needs to know of
the world it reads from ``/_sandbox/world``.

The smallest stand-in of a platform with an API::

    STAND_IN = StandIn(
        name="name",
        where="Name's API is under /name/v1",
        invent=invented_accounts,       # (seed, today, days, sizes, odd=…) to whatever ``serve`` takes
        serve=NameService,              # a class with the methods of ``Service``
        environment=lambda url: {"NAME_API_URL": f"{url}/name/v1", "NAME_REQUESTS_PER_MINUTE": "60000"},
        accounts=accounts,              # the tokens out of the answer of ``/_sandbox/world``
        compare=compare,                # a line of text for each profile
    )
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple, Protocol

from starlette.routing import Route

from creator_pipeline.sandbox.faults import Faults
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse


class Invent(Protocol):
    """Makes the platform's part of the world; the same arguments make the same part."""

    def __call__(self, seed: int, today: date, days: int, sizes: Mapping[str, int] | None, /, *, odd: bool) -> Any:
        """The part.

        Args:
            seed: another seed is another part.
            today: UTC day of the world.
            days: that the world reaches back.
            sizes: size of each account, by profile; None: the stand-in chooses profiles and sizes.
            odd: also what the platform's documentation doesn't know, such as a new field. The pipeline's checks of it
                are red, as they should be.
        """
        ...


class Service(Protocol):
    """A platform's part of the world while it is served."""

    def routes(self) -> Sequence[Route]:
        """The platform's API. Faults stand before these routes."""
        ...

    def control_routes(self) -> Sequence[Route]:
        """Routes under ``/_sandbox/``, which never fail: the true totals, and what can be made to happen."""
        ...

    def world(self) -> Mapping[str, Any]:
        """Its entries of ``/_sandbox/world``, as JSON: what another process needs, tokens included."""
        ...

    def start_webhooks(self, factor: float) -> None:
        """Start to send webhooks, by a ``webhooks.Sender``; ``factor`` scales every delay (0: at once)."""
        ...

    def close(self) -> None:
        """Stop sending webhooks; drops those that wait."""
        ...


class Account(NamedTuple):
    """An account of the invented world.

    Attributes:
        profile_id: the profile that the demo connects it to.
        token: what the profile is connected with.
        account_id: the platform's own id of it.
        size: what there is in it, for people: ``430 sales``.
        timezone: of the profile, an IANA zone; empty where the platform doesn't tell.
    """

    profile_id: str
    token: str
    account_id: str
    size: str
    timezone: str = ""


class Demo(NamedTuple):
    """A demo that runs.

    Attributes:
        config: settings of the demo.
        warehouse: what it loads into.
        url: of the sandbox, without a slash at the end.
        world: the answer of ``/_sandbox/world``.
        profile_id: the profile whose sale and upload are shown.
        seconds: how long the daemon may take for a webhook or an upload.
    """

    config: Settings
    warehouse: Warehouse
    url: str
    world: Mapping[str, Any]
    profile_id: str
    seconds: float

    @property
    def today(self) -> date:
        """The UTC day of the world."""
        return date.fromisoformat(self.world["today"])


class Compared(NamedTuple):
    """A line of the demo's table.

    Attributes:
        line: what is shown.
        differences: a line for each figure that differs; empty where all are equal.
    """

    line: str
    differences: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """The stand-in of one platform.

    Attributes:
        name: the platform's; key of its part in ``World.parts``.
        compare: the ledger beside the truth; yields the lines of the demo's table.
        where: a sentence without a full stop for the sandbox's page: where the API answers.
        invent: makes its part of the world.
        serve: (part, faults) to the service.
        fault_kinds: kinds of faults that its routes produce themselves: they find the kind in the request's scope,
            under ``sandbox_fault``.
        environment: (URL of the sandbox) to the variables that send the pipeline to the stand-in, with a pace that
            nobody waits for and a new secret for its webhooks.
        accounts: (answer of ``/_sandbox/world``) to the accounts that profiles connect.
        register: (demo, profile id) has the platform send webhooks about a profile, after it was connected.
        upload: puts an invented file where a person would upload one.
        sell: sells something and sends the webhook; returns the ``external_id`` of the ledger row that must follow.
        webhook_name: what the platform calls a webhook.
    """

    name: str
    compare: Callable[[Demo], Iterator[Compared]]
    where: str = ""
    invent: Invent | None = None
    serve: Callable[[Any, Faults], Service] | None = None
    fault_kinds: frozenset[str] = frozenset()
    environment: Callable[[str], Mapping[str, str]] | None = None
    accounts: Callable[[Mapping[str, Any]], Sequence[Account]] | None = None
    register: Callable[[Demo, str], object] | None = None
    upload: Callable[[Demo], object] | None = None
    sell: Callable[[Demo], str] | None = None
    webhook_name: str = "webhook"
