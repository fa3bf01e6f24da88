"""Fields and words of a platform that this release doesn't know: one warning for each, however many runs see it."""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

from creator_pipeline.store import health_reports
from creator_pipeline.store.engine import Warehouse

PREFIX = "schema/"
HINT = "Nothing is lost: it is kept in raw. Update this package, or tell its authors the name."


def report_unknown(
    context: dg.AssetExecutionContext | dg.OpExecutionContext,
    warehouse: Warehouse,
    source: str,
    kind: str,
    names: Iterable[str],
) -> None:
    """Keep names that this release doesn't know as open health reports, which ``pipeline_health`` mails.

    Args:
        context: logs a warning about those that are new.
        warehouse: holds the health reports.
        source: name of the platform.
        kind: what they are names of, as ``sale field``.
        names: those that were seen; none is fine.
    """
    found = sorted(set(names))
    if not found:
        return
    texts = {name: f"{source} has a new {kind}: {name}." for name in found}
    with warehouse.write() as connection:
        new = [
            name
            for name, text in texts.items()
            if health_reports.opened(connection, f"{PREFIX}{source}/{kind}/{name}", text, HINT)
        ]
    if new:
        context.log.warning("%s has a new %s: %s. %s", source, kind, ", ".join(new), HINT)
