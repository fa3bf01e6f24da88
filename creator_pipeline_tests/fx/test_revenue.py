"""The ledger in one currency: whose rate, of which day, and what is missing."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal

import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, insert

from creator_pipeline import frames
from creator_pipeline.cli import cli
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.fx.revenue import revenue_in
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import sales_events, whop_financial_activity
from creator_pipeline_tests.support import kdp_landing, paths
from creator_pipeline_tests.support.kdp_payments import PAID, ROYALTIES

RATES = paths.FIXTURES / "fx" / "eurofxref-hist.zip"
SEEN = datetime(2026, 11, 1, tzinfo=UTC)


def put(
    connection: Connection, id_: str, currency: str, net: int, day: date = date(2026, 10, 30), **over: object
) -> None:
    """A row of the ledger."""
    values = {
        "id": id_, "profile_id": "alice", "platform": "whop", "event_type": "sale", "external_id": "pay_1",
        "occurred_at": datetime(day.year, day.month, day.day, 8, tzinfo=UTC), "occurred_on": day, "quantity": 1,
        "gross_micros": net, "fee_micros": 0, "net_micros": net, "currency": currency, "source": "x",
        "first_seen_at": SEEN, "ingested_at": SEEN, "fee_exact": True,
    }  # fmt: skip
    connection.execute(insert(sales_events).values(values | over))


def load_rates() -> None:
    done = CliRunner().invoke(cli, ["fx", "load", str(RATES)], catch_exceptions=False)
    assert done.exit_code == 0
    assert re.search(r"rates of 7 days, 2022-12-30 to 2026-10-30: \d+ new", done.output)


def test_each_row_says_its_rate_and_what_has_none_is_named(warehouse: Warehouse) -> None:
    """Guards: a total in euros in which the money of one country was 0, and nobody saw it."""
    load_rates()
    with warehouse.write() as connection:
        put(connection, "a", "USD", 100_000_000)
        put(connection, "b", "TWD", 100_000_000, date(2026, 10, 31))
        put(connection, "c", "EUR", 5_000)
        put(connection, "d", "USD", -100_000_000)
    frame = frames.revenue_in("EUR", profile="alice", since="2026-10-01", until="2026-11-01")
    told = frame.set_index("id")[["net_in_base", "rate_on", "rate_source", "missing"]].to_dict("index")
    assert told["a"]["net_in_base"] == -told["d"]["net_in_base"] == Decimal("90.909091")
    assert (told["a"]["rate_on"], told["a"]["rate_source"]) == (date(2026, 10, 30), "ECB")
    assert told["b"]["missing"] == "TWD has no rate on 2026-10-30"
    assert str(frame["net_in_base"].isna().tolist()) == "[False, True, False, False]"
    assert told["c"]["rate_source"] == "same currency"
    with pytest.raises(ConfigError, match="BASE_CURRENCY"):
        frames.revenue_in()
    with pytest.raises(ConfigError, match="no currency"):
        frames.revenue_in("euros")


def test_whops_own_dollars_go_before(warehouse: Warehouse) -> None:
    """Guards: a sale whose dollars Whop had told, at another rate in our books than in Whop's."""
    load_rates()
    line = {
        "profile_id": "alice", "id": "line_1", "line_type": "payment_gross", "posted_at": SEEN, "posted_on": date(2026, 10, 30),
        "payment_id": "pay_1", "amount_micros": 100_000_000, "amount_exact": "100", "currency": "twd".upper(),
        "usd_micros": 3_100_000, "raw": "{}", "first_seen_at": SEEN, "ingested_at": SEEN,
    }  # fmt: skip
    with warehouse.write() as connection:
        connection.execute(insert(whop_financial_activity).values(line))
        put(connection, "whop:alice:pay_1:sale", "TWD", 90_000_000)
        put(connection, "whop:alice:pay_2:sale", "TWD", 90_000_000, external_id="pay_2")
    with warehouse.read() as connection:
        dollars = {one.id: one.converted for one in revenue_in(connection, "usd")}
        euros = {one.id: one.converted for one in revenue_in(connection, "EUR")}
    assert dollars["whop:alice:pay_1:sale"].amount == Decimal("2.79")
    assert dollars["whop:alice:pay_1:sale"].source == "Whop usd_amount"
    assert dollars["whop:alice:pay_2:sale"].amount is None
    assert euros["whop:alice:pay_1:sale"].source == "Whop usd_amount, then ECB"


def test_kdps_payment_rate_goes_before(warehouse: Warehouse) -> None:
    """Guards: royalties in euros at a reference rate, where the bank had told what arrived."""
    kdp_landing.add_profiles(warehouse)
    for number, path in enumerate((*ROYALTIES, PAID)):
        assert kdp_landing.land(warehouse, path, at=1_790_000_000 + number * 86_400).status == "accepted"
    load_rates()
    with warehouse.read() as connection:
        lines = [one for one in revenue_in(connection, "EUR") if one.event_type != "adjustment"]
    dollars = [one for one in lines if (one.currency, f"{one.occurred_on:%Y-%m}") == ("USD", "2026-07")]
    assert dollars
    for one in dollars:
        assert one.converted.source == "KDP payment"
        exact = Decimal(one.net_micros) / 1_000_000 * Decimal("188.27") / Decimal("210.331001")
        assert one.converted.amount == exact.quantize(Decimal("0.000001"), ROUND_HALF_UP)
    assert {one.converted.source for one in lines if one.currency == "EUR"} == {"same currency"}
    assert all(one.converted.missing for one in lines if one.currency == "BRL")


def test_the_page_runs(sqlite_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: an example that nobody had run since a column was renamed."""
    load_rates()
    with sqlite_warehouse.write() as connection:
        put(connection, "a", "USD", 100_000_000)
        put(connection, "b", "TWD", 100_000_000)
    page = (paths.ROOT / "docs" / "fx.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(block, "docs/fx.md", "exec"), names)  # noqa: S102 - the page itself
    assert names["total"] == Decimal("90.91")
    assert len(names["missing"]) == 1
