"""The ledger of Whop beside the sandbox's totals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

import httpx
from sqlalchemy import func, select

from creator_pipeline.core.money import to_text
from creator_pipeline.platforms.whop import PLATFORM
from creator_pipeline.sandbox import compare as frame
from creator_pipeline.sandbox.compare import Day, DayFigures, Difference, ledger_days
from creator_pipeline.sandbox.stand_in import Compared, Demo
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import sales_events


def differences(warehouse: Warehouse, profile_id: str, truth: Mapping[Day, DayFigures]) -> list[Difference]:
    """Days and currencies in which the ledger is not what the platform says."""
    return frame.differences(ledger_days(warehouse, profile_id, PLATFORM.in_ledger), truth)


def compare(demo: Demo) -> Iterator[Compared]:
    """A line for each account: its net in each currency."""
    for profile_id in demo.world["whop"]:
        truth = {
            (date.fromisoformat(day["day"]), day["currency"]): DayFigures(*(day[name] for name in DayFigures._fields))
            for day in httpx.get(f"{demo.url}/_sandbox/whop/{profile_id}/totals").json()
        }
        off = differences(demo.warehouse, profile_id, truth)
        net = ", ".join(f"{to_text(micros, currency)} {currency}" for currency, micros in _net(demo, profile_id))
        said = "equal on every day and in every currency" if not off else f"{len(off)} days differ"
        yield Compared(
            f"{profile_id:9}Whop, net: {net}  {said}",
            [f"{day} {currency}: ledger {ledger}, platform {platform}" for (day, currency), ledger, platform in off],
        )


def _net(demo: Demo, profile_id: str) -> list[tuple[str, int]]:
    events = sales_events.c
    query = (
        select(events.currency, func.sum(events.net_micros))
        .where(events.profile_id == profile_id, events.platform == PLATFORM.in_ledger)
        .group_by(events.currency)
        .order_by(events.currency)
    )
    with demo.warehouse.read() as connection:
        return [(currency, int(micros)) for currency, micros in connection.execute(query)]
