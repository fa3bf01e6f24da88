"""Load every sale of some Gumroad accounts into PostgreSQL through the project's own code, for an outside harness.

    python benchmarks/gumroad_load.py --base URL --tokens T1,T2 --dsn DSN --schema S

The real path: client, pages, models, ledger, one transaction for each chunk of days; the JSON is kept. Accounts are
read side by side. The tables are made in schema S where they aren't there; a view ``S.sales(id, price)`` is left, with
the price in US cents. Prints seconds, sales, requests and peak memory as one line of JSON.
"""

from __future__ import annotations

import argparse
import base64
import resource
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import orjson
from psycopg2.extensions import parse_dsn
from sqlalchemy import URL, create_engine, text

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.gumroad.client import GumroadClient
from creator_pipeline.gumroad.sync import load_sales
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse, open_warehouse

ACCOUNTS_AT_ONCE = 20
FIRST_DAY = date(2000, 1, 1)
"""Older than Gumroad; a window without sales costs no request."""


class Unpaced:
    """No limit: a stand-in has none."""

    def wait(self) -> float:
        """Go at once."""
        return 0.0


def warehouse_in(dsn: str, schema: str) -> Warehouse:
    """The project's warehouse within one schema of a database, given as a URL or as ``key=value`` pairs."""
    parts = parse_dsn(dsn.replace("postgresql+psycopg2://", "postgresql://").replace("postgres://", "postgresql://"))
    query = {name: value for name, value in parts.items() if name not in {"host", "port", "user", "password", "dbname"}}
    url = URL.create(
        "postgresql+psycopg2",
        parts.get("user"),
        parts.get("password"),
        parts.get("host"),
        int(parts["port"]) if "port" in parts else None,
        parts.get("dbname"),
        query,
    )
    engine = create_engine(url)
    with engine.begin() as connection:
        quoted = engine.dialect.identifier_preparer.quote(schema)
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {quoted}"))
    engine.dispose()
    options = f"{query.pop('options', '')} -c search_path={quoted}".strip()
    return open_warehouse(url.set(query={**query, "options": options}).render_as_string(hide_password=False))


def load(base: str, tokens: Sequence[str], warehouse: Warehouse) -> tuple[int, int]:
    """Load every account; returns sales and requests."""
    # The same key each time: with another one every buyer's hash, and so every row, would be a changed one.
    ring = KeyRing([base64.urlsafe_b64encode(b"no secret: a benchmark's own key").decode()])
    window = DayWindow(FIRST_DAY, today() + timedelta(days=366))

    def account(profile_id: str, token: str) -> tuple[int, int]:
        with GumroadClient(base, token, Unpaced()) as client:
            sales = sum(len(part.sales) for part in load_sales(warehouse, client, ring, profile_id, window))
            return sales, client.usage.requests

    warehouse.ensure_migrated()
    names = [f"account{number}" for number in range(1, len(tokens) + 1)]
    with warehouse.write() as connection:
        for name in names:
            profiles.add_profile(connection, name, f"{name}@example.com")
    with ThreadPoolExecutor(min(len(tokens), ACCOUNTS_AT_ONCE)) as pool:
        done = list(pool.map(account, names, tokens))
    return sum(sales for sales, _ in done), sum(requests for _, requests in done)


def main() -> None:
    """Load, leave the view, print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--base", required=True, help="URL of the API, without /v2")
    options.add_argument("--tokens", required=True, help="access tokens, with commas between them")
    options.add_argument("--dsn", required=True, help="the PostgreSQL database")
    options.add_argument("--schema", required=True)
    wish = options.parse_args()
    began = time.perf_counter()
    warehouse = warehouse_in(wish.dsn, wish.schema)
    sales, requests = load(wish.base, [token.strip() for token in wish.tokens.split(",") if token.strip()], warehouse)
    with warehouse.write() as connection:
        connection.execute(
            text("CREATE OR REPLACE VIEW sales AS SELECT id, price_micros / 10000 AS price FROM gumroad_sales")
        )
    warehouse.engine.dispose()
    figures = {
        "seconds": round(time.perf_counter() - began, 3),
        "sales": sales,
        "requests": requests,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }
    print(orjson.dumps(figures).decode())


if __name__ == "__main__":
    main()
