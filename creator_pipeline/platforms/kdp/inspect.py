"""Describes a report without storing it: what it is, what it holds, and whether it would be accepted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.money import to_text
from creator_pipeline.platforms.kdp.child_process import parse_in_child
from creator_pipeline.platforms.kdp.models import NOT_TAUGHT, PAYMENTS, Report, Totals, total
from creator_pipeline.platforms.kdp.payments_told import told


def inspect(paths: Iterable[str | Path], taught: Mapping[str, str] = NOT_TAUGHT) -> list[dict[str, object]]:
    """A JSON object for each file, in the order given.

    ``sales_rows``, units and ``royalty_by_currency`` are those of sales only; net units include free copies.
    ``kenp_pages`` are pages read, ``kenp_royalty_by_currency`` their money, which only final reports have. ``period``
    is ``2026-03``, or the first and last month or day (``2026-03/2026-04``). A Payments report has the keys of
    :func:`.payments_told.told` besides. With the verdict ``accept`` the problems are notes; with ``quarantine`` a
    person must solve them; ``reject`` is a file that can't be read.
    """
    return [_inspect(Path(path), taught) for path in paths]


def _inspect(path: Path, taught: Mapping[str, str]) -> dict[str, object]:
    try:
        return describe(parse_in_child(path, taught=taught))
    except DataError as error:
        where = error.where()
        problem = {key: where.get(key) for key in ("sheet", "row", "column", "found", "expected")}
        return {
            "file": path.name,
            "verdict": "reject",
            "kind": getattr(error, "kind", "unknown"),
            "finality": None,
            "period": None,
            "sales_rows": 0,
            "net_units": 0,
            "refunded": 0,
            "free_units": 0,
            "kenp_pages": 0,
            "royalty_by_currency": {},
            "kenp_royalty_by_currency": {},
            "problems": [{**problem, "hint": str(error)}],
        }


def describe(report: Report) -> dict[str, object]:
    """The JSON object of a report; :func:`inspect` says what its keys mean."""
    sales, kenp = total(report.of_kind("sales")), total(report.of_kind("kenp"))
    paid = told(report.payments) if report.kind == PAYMENTS else {}
    return {
        "file": report.file_name,
        "verdict": report.verdict,
        "kind": report.kind,
        "finality": report.finality,
        "period": period(report),
        "sales_rows": sales.rows,
        "net_units": sales.net_units,
        "refunded": sales.units_refunded,
        "free_units": sales.free_units,
        "kenp_pages": kenp.pages_read,
        "royalty_by_currency": _amounts(sales),
        "kenp_royalty_by_currency": _amounts(kenp),
        **paid,
        "problems": [problem.as_dict() for problem in report.problems],
    }


def _amounts(sums: Totals) -> dict[str, str]:
    return {code: to_text(micros, code) if micros else "0" for code, micros in sorted(sums.royalty_micros.items())}


def period(report: Report) -> str | None:
    """``2026-03``, ``2026-03/2026-04``, ``2026-03-01/2026-03-15``: both ends included; None for an empty report."""
    if report.period_start is None or report.period_end is None:
        return None
    length = 10 if report.grain == "day" else 7
    first = report.period_start.isoformat()[:length]
    last = (report.period_end - timedelta(days=1)).isoformat()[:length]
    return first if first == last else f"{first}/{last}"
