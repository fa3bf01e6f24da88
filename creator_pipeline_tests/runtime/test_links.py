"""Where an asset's page in the UI leads."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from creator_pipeline.definitions import defs
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.platforms.gumroad.ledger import gumroad_events
from creator_pipeline.platforms.gumroad.lineage import LINEAGE as GUMROAD
from creator_pipeline.platforms.kdp.ledger import KdpGroup, kdp_event
from creator_pipeline.platforms.kdp.lineage import LINEAGE as KDP
from creator_pipeline.platforms.whop.ledger import WhopPayment, whop_events
from creator_pipeline.platforms.whop.ledger_lines import Booked
from creator_pipeline.platforms.whop.lineage import LINEAGE as WHOP
from creator_pipeline.runtime import links
from creator_pipeline.store.tables import gumroad_sales, kdp_royalties, whop_financial_activity, whop_payments
from creator_pipeline_tests.support.column_lineage import found
from creator_pipeline_tests.support.ledger_samples import sale
from creator_pipeline_tests.support.paths import ROOT

MOMENT = datetime(2026, 11, 1, 12, tzinfo=UTC)
SPECS = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
OWN = {name: spec for name, spec in SPECS.items() if not name.startswith("external/")}
PAYMENT = WhopPayment(
    "alice", "pay_1", MOMENT, MOMENT, "prod_1", "Club", "paid", "usd", 20_000_000, 1_000_000, "[]", "[]", None, 1
)
LINE = Booked("line_1", "payment_gross", MOMENT, MOMENT.date(), "pay_1", None, "prod_1", "Club", 20_000_000, "usd")
GROUP = KdpGroup(
    "a" * 64, "sales:2026-10", "2026-10|ebook|B01|Amazon.com|70%|sale|USD", "sales", date(2026, 10, 3), "Tide", 3, 1, 5,
    7_000_000, "USD",
)  # fmt: skip


def test_a_sale_s_columns_go_where_the_lineage_says() -> None:
    """Incident: a fee that came from another column since a release, and a lineage that showed the one of before."""
    rows = [
        sale(),
        sale(refunded_micros=4_000_000),
        sale(affiliate_micros=1_000_000),
        sale(disputed=True, chargedback=True),
    ]
    real = found(lambda row: gumroad_events(row, MOMENT), rows)
    assert {name: gives for name, gives in real.items() if name in gumroad_sales.c} == GUMROAD["gumroad/sales"]


def test_a_payment_s_columns_go_where_the_lineage_says() -> None:
    """Incident: as above, at Whop, whose amounts stand in two tables."""
    payments = found(lambda row: whop_events(row, MOMENT), [PAYMENT])
    lines = found(lambda row: whop_events(PAYMENT, MOMENT, [row]), [LINE])
    assert {name: gives for name, gives in payments.items() if name in whop_payments.c} == WHOP["whop/payments"]
    here = {name: gives for name, gives in lines.items() if name in whop_financial_activity.c}
    assert here == WHOP["whop/financial_activity"]


def test_a_royalty_s_columns_go_where_the_lineage_says() -> None:
    """Incident: as above, of reports."""
    pages = GROUP._replace(kind="kenp", event_key=GROUP.event_key.replace("sale", "kenp"))
    real = found(lambda row: [kdp_event("alice", row, MOMENT)], [GROUP, pages], {"day": "occurred_on"})
    assert {name: gives for name, gives in real.items() if name in kdp_royalties.c} == KDP["kdp/royalties"]


@pytest.mark.parametrize("provider", ["gumroad", "whop", "amazon_kdp"])
def test_the_lineage_is_of_columns_that_are_there(provider: str) -> None:
    """Incident: an arrow from a column that no table has."""
    told = SPECS[f"sales_events/{provider}"].metadata["dagster/column_lineage"]
    assert {"gross_micros", "net_micros", "occurred_at", "product_id"} <= set(told.deps_by_column)
    assert set(told.deps_by_column) <= set(LedgerEvent._fields)
    for dep in (one for deps in told.deps_by_column.values() for one in deps):
        schema = SPECS[dep.asset_key.to_user_string()].metadata["dagster/column_schema"]
        assert dep.column_name in {column.name for column in schema.columns}


@pytest.mark.parametrize("name", sorted(OWN))
def test_each_asset_links_its_page_and_its_code(name: str) -> None:
    """Incident: an asset that failed at night, and no way from it to what it is or to the line that made it."""
    spec = OWN[name]
    page = re.search(r" See `docs/([\w-]+\.md)`\.$", spec.description or "")
    assert page, spec.description
    assert (ROOT / "docs" / page[1]).is_file()
    for one in spec.metadata["dagster/code_references"].code_references:
        line = Path(one.file_path).read_text(encoding="utf-8").splitlines()[one.line_number - 1]
        assert re.match(r"(async )?def |@|.*(TableStream|TableView)\(|\s+(async )?def ", line), (one.file_path, line)


def test_links_lead_where_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: a link into a folder of the machine that built the image."""
    monkeypatch.setenv("DOCS_URL", "https://docs.example.com/pipeline/")
    monkeypatch.setenv("SOURCE_URL", "https://git.example.com/us/pipeline/blob/main")
    links.urls.cache_clear()
    assert links.see("books.md") == " See [docs/books.md](https://docs.example.com/pipeline/books.md)."
    made: Any = links.code(links.see)["dagster/code_references"].code_references[0]
    line = links.see.__code__.co_firstlineno
    assert made.url == f"https://git.example.com/us/pipeline/blob/main/creator_pipeline/runtime/links.py#L{line}"
    monkeypatch.undo()
    links.urls.cache_clear()


def test_the_lineage_begins_at_the_platforms_and_ends_at_the_bank() -> None:
    """Incident: a graph that began with a table, as if nobody had sold anything."""
    graph = defs.resolve_asset_graph()
    bank = dg.AssetKey(["external", "bank"])
    assert not graph.get(bank).is_executable
    before, seen = [bank], set[dg.AssetKey]()
    while before:
        seen.add(key := before.pop())
        before += graph.get(key).parent_keys - seen
    roots = {key.to_user_string() for key in seen if not graph.get(key).parent_keys}
    assert roots == {"external/gumroad", "external/whop", "external/kdp"}
