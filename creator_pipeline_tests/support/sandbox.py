"""The sandbox with the platforms of this repository, by their names."""

from __future__ import annotations

import gc
import io
import pickle
import threading
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any, Self

from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.platforms.gumroad.sandbox.api import GumroadApi
from creator_pipeline.platforms.gumroad.sandbox.data import GumroadPart
from creator_pipeline.platforms.gumroad.sandbox.oauth import OAuth
from creator_pipeline.platforms.gumroad.sandbox.pings import PingSender
from creator_pipeline.platforms.whop.sandbox.api import PREFIX, WhopApi
from creator_pipeline.platforms.whop.sandbox.data import WhopPart
from creator_pipeline.platforms.whop.sandbox.webhooks import WebhookSender
from creator_pipeline.sandbox import server, world

WHOP_SIZES = {"alice": 6, "bea": 4, "chen": 2}
"""Memberships, where a test needs accounts of Whop and asks nothing of them: a world takes 3 ms to copy instead of 15."""

_RLOCK = type(threading.RLock())
STAND_INS = [platform.stand_in.get() for platform in PLATFORMS if platform.stand_in]


class _Pickler(pickle.Pickler):
    """A lock can't be copied; each world gets a new one."""

    def reducer_override(self, obj: object) -> Any:
        return (threading.RLock, ()) if isinstance(obj, _RLOCK) else NotImplemented


_Sizes = tuple[tuple[str, tuple[tuple[str, int], ...]], ...]


def _parts(seed: int, today: date, days: int, sizes: _Sizes) -> dict[str, Any]:
    chosen = {name: dict(counts) for name, counts in sizes}
    return world.World.of(STAND_INS, seed, today=today, days=days, sizes=chosen, odd=True).parts


@lru_cache(maxsize=8)
def _invented(seed: int, today: date, days: int, sizes: _Sizes) -> bytes:
    """The parts of a world: many tests begin with the same one, and to invent it takes a second."""
    kept = io.BytesIO()
    _Pickler(kept, pickle.HIGHEST_PROTOCOL).dump(_parts(seed, today, days, sizes))
    return kept.getvalue()


def _copied(kept: bytes) -> dict[str, Any]:
    # Nothing of it is garbage: to look for some is a third of the time.
    collects = gc.isenabled()
    gc.disable()
    try:
        return pickle.loads(kept)  # noqa: S301 - our own bytes
    finally:
        if collects:
            gc.enable()


class World(world.World):
    """The invented world; a property for each platform that is served."""

    @classmethod
    def invented(
        cls,
        seed: int = 7,
        *,
        today: date,
        sizes: Mapping[str, int] | None = None,
        whop_sizes: Mapping[str, int] | None = None,
        days: int = 120,
        anew: bool = False,
    ) -> Self:
        """Gumroad's sellers with ``sizes`` sales, Whop's accounts with ``whop_sizes`` memberships; an odd world.

        Args:
            seed: another seed is another world.
            today: the last UTC day.
            sizes: sales of each seller.
            whop_sizes: memberships of each account.
            days: how many UTC days the sales reach back.
            anew: for a test that changes how worlds are invented: neither takes nor leaves a copy.
        """
        given = {"gumroad": sizes, "whop": whop_sizes}
        chosen = tuple((name, tuple(counts.items())) for name, counts in given.items() if counts is not None)
        if anew:
            return cls(today, STAND_INS, _parts(seed, today, days, chosen))
        return cls(today, STAND_INS, _copied(_invented(seed, today, days, chosen)))

    @property
    def gumroad(self) -> GumroadPart:
        return self.parts["gumroad"]

    @property
    def whop(self) -> WhopPart:
        return self.parts["whop"]


class SandboxServer(server.SandboxServer):
    """The running sandbox; a property for each thing that tests change or ask."""

    world: World

    @property
    def gumroad_url(self) -> str:
        return self.url

    @property
    def resend_url(self) -> str:
        return self.url

    @property
    def whop_url(self) -> str:
        return f"{self.url}{PREFIX}"

    @property
    def gumroad(self) -> GumroadApi:
        return self.services["gumroad"].api

    @property
    def oauth(self) -> OAuth:
        return self.services["gumroad"].oauth

    @property
    def pings(self) -> PingSender:
        return self.services["gumroad"].pings

    @property
    def whop(self) -> WhopApi:
        return self.services["whop"].api

    @property
    def webhooks(self) -> WebhookSender:
        return self.services["whop"].webhooks
