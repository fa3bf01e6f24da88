"""Equations of every platform's books: each one fails for its own fault, and for no other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from creator_pipeline.core.windows import now
from creator_pipeline.orchestration.book_checks import NAMES, identities, keep_unexplained
from creator_pipeline.orchestration.books import ask_for_consent
from creator_pipeline.platforms import of_name
from creator_pipeline.platforms.books import Identity
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.profiles import add_profile
from creator_pipeline.store.tables import email_messages, payout_lines, payouts, sales_events, unexplained
from creator_pipeline.store.unreadable import Unreadable, remember
from creator_pipeline_tests.support.ledger_samples import event
from creator_pipeline_tests.support.payout_samples import put_line, put_payout

DAY = date(2026, 10, 2)


@pytest.fixture
def platform() -> Platform:
    found = of_name("gumroad")
    assert found is not None
    return found


@pytest.fixture
def books(warehouse: Warehouse) -> Warehouse:
    """Two sales of seven dollars; the first is paid, the second in a payout that failed and in one under way."""
    with warehouse.write() as connection:
        connection.execute(insert(sales_events), [event(number, DAY)._asdict() for number in (1, 2)])
        put_payout(connection, "paid", 690, DAY)
        put_payout(connection, "failed", 700, DAY, state="released")
        put_payout(connection, "next", 700, DAY, state="on_the_way")
        put_line(connection, "paid", 1, 700, ledger_id="gumroad:alice:1:sale")
        put_line(connection, "paid", 2, -10, type="PayPal Payouts", reason="paid by the processor")
        put_line(connection, "failed", 1, 700, ledger_id="gumroad:alice:2:sale")
        put_line(connection, "next", 1, 700, ledger_id="gumroad:alice:2:sale")
    return warehouse


def failing(warehouse: Warehouse, platform: Platform) -> list[Identity]:
    """Of the equations that every platform has."""
    with warehouse.read() as connection:
        found = identities(connection, platform, "alice")
    return [one for one in found if one.name in NAMES and not one.holds]


def test_books_that_are_right_hold(books: Warehouse, platform: Platform) -> None:
    """Guards: checks that are red for a payout that came back and was made again."""
    assert failing(books, platform) == []
    with books.read() as connection:
        compared = [one for one in identities(connection, platform, "alice") if one.name == "lines_equal_payout"]
    assert {(one.key, one.stated_micros) for one in compared} == {("paid", 6_900_000), ("next", 7_000_000)}


@pytest.mark.parametrize(
    ("name", "fault", "micros"),
    [
        ("lines_equal_payout", lambda c: c.execute(update(payouts).where(_is("paid")).values(amount_micros=1)), -6_899_999),
        ("lines_have_a_row", lambda c: c.execute(update(payout_lines).values(reason=None)), -100_000),
        ("rows_are_there", lambda c: c.execute(delete(sales_events).where(sales_events.c.external_id == "1")), 7_000_000),
        ("paid_once", lambda c: c.execute(update(payouts).where(_is("failed")).values(state="paid")), 7_000_000),
    ],
)  # fmt: skip
def test_each_fault_is_found_by_its_own_name(
    books: Warehouse, platform: Platform, name: str, fault: Callable[[Connection], object], micros: int
) -> None:
    """Guards: an equation that can't fail."""
    with books.write() as connection:
        fault(connection)
    found = {one.name: one for one in failing(books, platform)}
    assert name in found
    assert found[name].difference_micros == micros
    assert found.keys() <= {name, "rows_are_there"}


def _is(payout_id: str):
    return payouts.c.payout_id == payout_id


def test_what_does_not_hold_is_kept_since_when_and_goes_when_it_holds(books: Warehouse, platform: Platform) -> None:
    """Guards: a difference that looks new each night, or stays when it is solved."""
    odd = Identity("lines_equal_payout", "payout", "paid", "USD", 5, 3, reason="odd")
    with books.write() as connection:
        assert keep_unexplained(connection, platform, "alice", [odd]).inserted == 1
        first = connection.execute(select(unexplained)).one()
    with books.write() as connection:
        keep_unexplained(connection, platform, "alice", [odd._replace(stated_micros=9)])
        second = connection.execute(select(unexplained)).one()
    assert (first.amount_micros, second.amount_micros) == (2, 6)
    assert second.since == first.since
    with books.write() as connection:
        assert keep_unexplained(connection, platform, "alice", [odd._replace(stated_micros=3)]).deleted == 1
        assert connection.execute(select(unexplained)).all() == []


def test_a_seller_is_asked_once_for_the_consent_that_payouts_need(warehouse: Warehouse, platform: Platform) -> None:
    """Incident: a mail each night that asks to connect again; and none where the consent is missing."""
    assert platform.books is not None
    missing = Unreadable("payouts", "", "HTTP 403", "Connect again.", "Fees are exact then.")
    with warehouse.write() as connection:
        add_profile(connection, "alice", "alice@example.com")
    for found in ([], [missing._replace(part="transactions", brings="")], [missing], [missing]):
        with warehouse.write() as connection:
            remember(connection, "gumroad", "alice", found, now())
        ask_for_consent(warehouse, platform, platform.books.get(), "alice")
    with warehouse.read() as connection:
        mails = connection.execute(select(email_messages.c.kind, email_messages.c.to)).all()
    assert [tuple(mail) for mail in mails] == [("consent_needed", "alice@example.com")]
