"""The books on a creator's page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import delete, insert

from creator_pipeline.core.windows import now, today
from creator_pipeline.gateway.creator_books import ROWS
from creator_pipeline.ledger import closing
from creator_pipeline.mail import page_link
from creator_pipeline.store.tables import metadata, sales_events, unexplained
from creator_pipeline_tests.support.gateway import Gateway
from creator_pipeline_tests.support.ledger_samples import event
from creator_pipeline_tests.support.payout_samples import put_payout


@pytest.fixture
def gateway(shared: Gateway) -> Iterator[Gateway]:
    """With alice and bob, and nothing else."""
    with shared.services.warehouse.write() as connection:
        for table in metadata.sorted_tables:
            connection.execute(delete(table))
    shared.add("alice", "gumroad")
    shared.add("bob")
    shared.http.cookies.clear()
    return shared


def page(gateway: Gateway, profile_id: str = "alice") -> str:
    """The page, opened by a link of a mail."""
    path = httpx.URL(page_link.url(gateway.config, profile_id, f"{profile_id}@example.com")).path
    answer = gateway.http.get(path, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    return " ".join(answer.text.split())


def test_each_figure_opens_into_its_rows(gateway: Gateway) -> None:
    """Guards: a balance that nobody can check."""
    day = today()
    with gateway.services.warehouse.write() as connection:
        rows = [event(number, day, name="Zine <b>") for number in range(ROWS + 2)]
        back = event(99, day, name="Zine", gross=-7_000_000)
        back = back._replace(id="gumroad:alice:1:refund", event_type="refund", fee_micros=-500_000, fee_exact=False)
        connection.execute(insert(sales_events), [row._asdict() for row in (*rows, back)])
        put_payout(connection, "p1==", 1000, day)
    text = page(gateway)
    assert f"{today():%B %Y}" in text
    assert "277.50 in the balance" in text
    assert 'Sales <span class="hint">(42 rows)</span>' in text
    assert "and 2 more" in text
    assert "sale · Zine &lt;b&gt;" in text
    assert "0.50 of it is estimated until Gumroad tells the exact amounts." in text
    assert "unexplained" not in text


def test_what_is_not_explained_is_said(gateway: Gateway) -> None:
    """Guards: a difference that only the operator's table shows."""
    with gateway.services.warehouse.write() as connection:
        connection.execute(insert(sales_events), [event(1, today())._asdict()])
        connection.execute(
            insert(unexplained).values(
                provider="gumroad", profile_id="alice", scope="balance", key="x", currency="USD", reason="odd",
                amount_micros=-1_230_000, since=now(),
            )
        )  # fmt: skip
    assert "1.23 unexplained" in page(gateway)


def test_a_closed_month_is_shown_as_it_was_closed(gateway: Gateway) -> None:
    """Guards: a page that says another figure than the one the bookkeeper has."""
    last = today().replace(day=1) - timedelta(days=1)
    kept = (
        '{"platforms": {"gumroad": {"USD": {"opening": "1.00", "sales": "2.00", "closing": "3.00", '
        '"unexplained": "0.00", "estimated": "0.00"}}}}'
    )
    with gateway.services.warehouse.write() as connection:
        connection.execute(insert(sales_events), [event(1, last)._asdict()])
        closing.close(connection, "alice", f"{last:%Y-%m}", kept, now())
    text = page(gateway)
    assert f"{last:%B %Y}, closed" in text
    assert "3.00 in the balance" in text


def test_a_profile_sees_its_own_books_only(gateway: Gateway) -> None:
    """Guards: money of a neighbour on a page."""
    with gateway.services.warehouse.write() as connection:
        connection.execute(insert(sales_events), [event(1, today())._asdict()])
        put_payout(connection, "p1==", 1000, today())
    assert "in the balance" not in page(gateway, "bob")


def test_days_that_rest_on_payouts_only_are_named(gateway: Gateway) -> None:
    """Incident: a seller looks for the buyer of a sale in the first hour, and nothing says that only sums are known."""
    day = today()
    with gateway.services.warehouse.write() as connection:
        of_payout = event(1, day)._replace(source="payout p1==")
        connection.execute(insert(sales_events), [of_payout._asdict()])
    assert f"These days rest on payouts only: {day}. Their sums are right" in page(gateway)
    with gateway.services.warehouse.write() as connection:
        connection.execute(delete(sales_events))
        connection.execute(insert(sales_events), [event(1, day)._asdict()])
    assert "rest on payouts" not in page(gateway)
