"""The stand-in of Amazon KDP: a report, as a person would upload it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from creator_pipeline.core.money import to_text
from creator_pipeline.platforms.kdp import PLATFORM
from creator_pipeline.platforms.kdp.sandbox.reports import InventedReport, ledger_totals, prior_month
from creator_pipeline.sandbox.stand_in import Compared, Demo, StandIn

SEED = 7


def invented_report(demo: Demo) -> InventedReport:
    """The report of the month before the demo's day; the same each time."""
    return prior_month(SEED, demo.today)


def upload(demo: Demo) -> None:
    """Put the report into the inbox as an upload does: written beside it, then renamed."""
    report, folder = invented_report(demo), Path(demo.config.inbox) / demo.profile_id
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{report.name}.part"
    part.write_bytes(report.content)
    part.rename(folder / report.name)


def compare(demo: Demo) -> Iterator[Compared]:
    """Wait until the daemon has read the report; then a line for each currency."""
    report, profile_id = invented_report(demo), demo.profile_id
    deadline = time.monotonic() + demo.seconds
    while (here := ledger_totals(demo.warehouse, profile_id, report.month)) != report.totals:
        if time.monotonic() >= deadline:
            break
        time.sleep(0.5)
    yield Compared(
        f"\n{'profile':9}{'month':9}{'units':>7}{'KENP pages':>12}  Amazon KDP, from the inbox, against the report",
        [] if here == report.totals else [f"{report.name}: ledger {here}, report {report.totals}"],
    )
    for currency, micros in sorted(here.micros.items()) or [("", 0)]:
        equal = report.totals.micros.get(currency) == micros and here[:2] == report.totals[:2]
        yield Compared(
            f"{profile_id:9}{report.month:%Y-%m}  {here.units:7}{here.pages:12}"
            f"{to_text(micros, currency):>12} {currency:3}  {'equal to the report' if equal else 'differs'}"
        )


STAND_IN = StandIn(name=PLATFORM.name, upload=upload, compare=compare)
