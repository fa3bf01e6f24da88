"""The models of ``dbt/``: the ledger to the millionth on both databases, described and tested."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from importlib.util import find_spec

import duckdb
import pytest
from sqlalchemy import select

from creator_pipeline import frames
from creator_pipeline.core.money import to_decimal
from creator_pipeline.store.engine import open_warehouse
from creator_pipeline.store.tables import sales_events
from creator_pipeline_tests.support import dbt_builds, exported, invented_year
from creator_pipeline_tests.support.dbt_builds import PROJECT, TARGETS, Builds

# Looked for only: to import it takes each of the run's processes more than a second.
if find_spec("dbt") is None:
    pytest.skip("dbt is not installed: the extra dbt has none for this Python", allow_module_level=True)
MODELS = {path.stem for path in (PROJECT / "models" / "marts").glob("*.sql")}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builds]:
    made = dbt_builds.build(tmp_path_factory.mktemp("dbt"))
    try:
        yield made
    finally:
        made.warehouse.engine.dispose()
        open_warehouse.cache_clear()
        made.database.close()


def test_a_year_has_the_same_sums_in_ledger_frames_files_and_models(built: Builds) -> None:
    """Guards: a board's report that was off by what floats, a lost month or a half-written file had done to it."""
    micros = exported.by_month(invented_year.ledger_sums(built.warehouse))
    ledger = {key: to_decimal(net) for key, net in micros.items()}
    assert len(ledger) == 12 * sum(map(len, invented_year.CURRENCIES.values()))
    pandas = Counter[tuple[str, str, str]]()
    frame = frames.ledger(warehouse=built.warehouse)
    for day, *key, net in frame[["occurred_on", "platform", "currency", "net"]].itertuples(index=False):
        pandas[f"{day:%Y-%m}", key[0], key[1]] += net
    found = {"frames": dict(pandas), "files": exported.duckdb_sums(built.export)}
    for target in TARGETS:
        for model, day in (("fct_ledger", "month"), ("revenue_daily", "occurred_on")):
            rows = built.rows(target, f"select {day}, platform, currency, net from analytics.{model}")
            sums = Counter[tuple[str, str, str]]()
            for one, platform, currency, net in rows:
                assert type(net) is Decimal
                sums[f"{one:%Y-%m}", platform, currency] += net
            found[f"{model} on {target}"] = dict(sums)
    assert len(found) == 6
    assert [where for where, sums in found.items() if sums != ledger] == []


@pytest.mark.parametrize("target", TARGETS)
def test_what_went_back_is_a_part_of_what_was_sold(built: Builds, target: str) -> None:
    """Guards: a rate of refunds by division of floats, and dollars divided by yen."""
    months: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    columns = sales_events.c
    kinds = {"sale": "sold", "royalty": "sold", "refund": "refunded"}
    kinds |= {"chargeback": "disputed", "chargeback_reversal": "disputed"}
    with built.warehouse.read() as connection:
        rows = connection.execute(
            select(
                columns.occurred_on,
                columns.profile_id,
                columns.platform,
                columns.currency,
                columns.event_type,
                columns.gross_micros,
            )
        )
        for day, *key, event, gross in rows:
            if event in kinds:
                months[f"{day:%Y-%m}", *key][kinds[event]] += gross if kinds[event] == "sold" else -gross

    def rate(part: int, whole: int) -> Decimal | None:
        exact = Decimal(part) / Decimal(whole) if whole else None
        return exact if exact is None else exact.quantize(Decimal("0.000001"), ROUND_HALF_UP)

    expected = {
        (
            *key,
            *(to_decimal(of[name]) for name in ("sold", "refunded", "disputed")),
            *(rate(of[name], of["sold"]) for name in ("refunded", "disputed")),
        )
        for key, of in months.items()
    }
    found = built.rows(
        target,
        "select month, profile_id, platform, currency, sold, refunded, disputed, refund_rate, dispute_rate"
        " from analytics.refund_rate",
    )
    assert {(f"{month:%Y-%m}", *rest) for month, *rest in found} == expected
    assert len(found) == len(expected)
    # Beyond what a float can hold, and half a millionth.
    assert {row[-2] for row in found if row[1] == "cleo"} == {Decimal(2**53 + 1), Decimal("0.000001")}


@pytest.mark.parametrize("target", TARGETS)
def test_recurring_revenue_is_that_of_the_last_day_of_a_month(built: Builds, target: str) -> None:
    """Guards: a churned subscription that counted on, because the month's last row was of the day before it left."""
    asked = "month, profile_id, counted_on, active, new, churned, mrr"
    rows = built.rows(target, f"select {asked} from analytics.mrr_monthly order by 1, 2")
    alice, bea = Decimal("10.000001"), Decimal("0.000007")
    january, february = date(2026, 1, 1), date(2026, 2, 1)
    assert rows == [
        (january, "alice", date(2026, 1, 31), 1, 1, 0, alice),
        (january, "bea", date(2026, 1, 31), 1, 1, 0, bea),
        (february, "alice", date(2026, 2, 28), 0, 0, 1, Decimal(0)),
        (february, "bea", date(2026, 2, 28), 1, 0, 0, bea),
        (date(2026, 3, 1), "bea", date(2026, 3, 15), 1, 0, 0, bea),
    ]


@pytest.mark.parametrize("target", TARGETS)
def test_each_payout_stands_beside_its_lines(built: Builds, target: str) -> None:
    """Guards: a payout that was compared with euros, was missing, or was equal although the books name a difference."""
    asked = "payout_id, lines, lines_without_a_row, lines_net, difference, unexplained, verdict"
    rows = built.rows(target, f"select {asked} from analytics.payout_reconciliation where profile_id = 'alice'")
    thirty, said = Decimal(30), target == "postgres"
    equal = ("po_equal", 2, 1, thirty, Decimal(0))
    assert set(rows) == {
        # The books' row came after the export.
        (*equal, Decimal("-0.000001"), "differs") if said else (*equal, None, "equal"),
        ("po_differs", 2, 1, thirty, Decimal("0.01"), None, "differs"),
        ("po_euro", 2, 1, thirty, None, None, "other currency"),
        ("po1==", 0, 0, None, None, None, "no lines"),
    }
    assert len(rows) == 4
    paid = built.rows(target, "select currency, sum(amount) from analytics.fct_payouts where is_paid group by 1")
    assert dict(paid) == {"USD": Decimal("306.91"), "EUR": Decimal(27)}


@pytest.mark.parametrize("target", TARGETS)
def test_products_have_their_works(built: Builds, target: str) -> None:
    """Guards: what was sold today and is in no list yet, lost by a join."""
    rows = built.rows(target, "select profile_id, platform, product_id, work from analytics.dim_products")
    of_year = {(name, platform, "p1==") for name in ("alice", "bea") for platform in invented_year.CURRENCIES}
    assert {row[:3] for row in rows} == of_year | {("alice", "whop", "p2")}
    assert [row for row in rows if row[3]] == [("alice", "gumroad", "p1==", "The Tide")]
    works = built.rows(target, "select profile_id, work, products, platforms from analytics.dim_works")
    assert works == [("alice", "The Tide", 1, 1)]


@pytest.mark.parametrize("target", TARGETS)
def test_money_is_decimal_and_models_are_tables(built: Builds, target: str) -> None:
    """Guards: a column that became a float; a view that stops the next migration of the warehouse."""
    of_schema = "where table_schema = 'analytics'"
    kinds = built.rows(target, f"select table_name, table_type from information_schema.tables {of_schema}")
    assert dict(kinds) == dict.fromkeys(MODELS, "BASE TABLE")
    types = built.rows(target, f"select column_name, data_type from information_schema.columns {of_schema}")
    assert [one for one in types if re.search("double|real|float", one[1].lower())] == []
    money = {"gross", "fee", "net", "amount", "mrr", "refund_rate", "sold", "difference"}
    assert {kind.lower().split("(")[0] for name, kind in types if name in money} <= {"numeric", "decimal"}
    assert money <= {name for name, _ in types}


def test_each_model_and_column_is_described_and_each_model_tested(built: Builds) -> None:
    """Guards: a column of which nobody knew whether it was before or after fees."""
    nodes = built.manifest("duckdb")["nodes"]
    models = {one["name"]: one for one in nodes.values() if one["resource_type"] == "model"}
    tested = {
        name.split(".")[-1]
        for one in nodes.values()
        for name in one["depends_on"]["nodes"]
        if one["resource_type"] == "test"
    }
    assert models.keys() == MODELS | {path.stem for path in (PROJECT / "models" / "staging").glob("*.sql")}
    assert models.keys() - tested == set()
    with duckdb.connect(str(built.folder / "models.duckdb"), read_only=True) as opened:
        for name, model in models.items():
            described = {column: one["description"] for column, one in model["columns"].items()}
            there = [row[0] for row in opened.execute(f"describe {model['compiled_code']}").fetchall()]
            assert list(described) == there, name
            assert all([model["description"], *described.values()]), name


def test_the_page_names_each_model() -> None:
    """Guards: a model that nobody knew was there."""
    page = (PROJECT.parent / "docs" / "dbt.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE)) == MODELS
