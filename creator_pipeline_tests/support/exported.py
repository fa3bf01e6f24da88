"""Exported files as readers read them: by the manifest, with DuckDB or with Arrow."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import orjson
from pyarrow import parquet

from creator_pipeline_tests.support.invented_year import Sums
from creator_pipeline_tests.support.paths import ROOT


def manifest(root: Path) -> dict[str, Any]:
    """What counts now."""
    return orjson.loads((root / "manifest.json").read_bytes())


def files(root: Path, table: str = "ledger") -> dict[tuple[str, str], str]:
    """(month, profile) to path."""
    return {(one["month"], one["profile"]): one["path"] for one in manifest(root)["tables"][table]["files"]}


def duckdb_sums(root: Path) -> dict[tuple[str, str, str], Decimal]:
    """(month, platform, currency) to the net, by the statement that the page shows."""
    page = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    found = re.search(r"```sql\n(.*?)```", page, re.DOTALL)
    assert found
    with duckdb.connect() as connection:
        connection.execute(found.group(1).replace("/srv/export", str(root).replace("'", "''")))
        return {(month, platform, currency): net for month, platform, currency, net in connection.fetchall()}


def sums(root: Path, table: str = "ledger") -> Sums:
    """(profile, month, platform, currency) to net micros, added up here."""
    totals = Sums()
    for path in files(root, table).values():
        for row in parquet.read_table(root / path, partitioning=None).to_pylist():
            key = (row["profile_id"], f"{row['occurred_on']:%Y-%m}", row["platform"], row["currency"])
            totals[key] += int(row["net"] * 1_000_000)
    return totals


def by_month(totals: Sums) -> Counter[tuple[str, str, str]]:
    """Without the profile."""
    short = Counter[tuple[str, str, str]]()
    for (_, *key), net in totals.items():
        short[key[0], key[1], key[2]] += net
    return short
