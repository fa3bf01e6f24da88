"""The equations of the books against the sandbox's account, whose arithmetic is its own."""

from functools import partial

import pytest
from sqlalchemy import func, select, update

from creator_pipeline.platforms.whop.books import BOOKS
from creator_pipeline.platforms.whop.money_assets import read_money
from creator_pipeline.platforms.whop.money_checks import Feed
from creator_pipeline.platforms.whop.sandbox import account as invented
from creator_pipeline.platforms.whop.sandbox.readings import Readings
from creator_pipeline.platforms.whop.sync import load_payments
from creator_pipeline.platforms.whop.sync_money import LoadedMoney, load_money
from creator_pipeline.platforms.whop.sync_payouts import load_payouts
from creator_pipeline.store.tables import payout_lines, payouts, sales_events, whop_payments
from creator_pipeline_tests.support.sandbox import SandboxServer, World
from creator_pipeline_tests.support.whop_samples import EVERYTHING, TODAY, open_client


def read(warehouse, client, account) -> None:
    load_payments(warehouse, client, "alice", account.id, EVERYTHING)
    load_money(warehouse, client, "alice", account.id)
    load_payouts(warehouse, client, "alice", account.id)


def broken(warehouse) -> set[str]:
    with warehouse.read() as connection:
        found = list(BOOKS.identities(connection, "alice"))
    assert found
    return {each.name for each in found if not each.holds}


def fees_that_differ(warehouse) -> dict[str, str]:
    with warehouse.read() as connection:
        count = connection.execute(select(func.count()).select_from(whop_payments)).scalar_one()
    money = read_money(warehouse, "alice", LoadedMoney(stored=count))
    assert any(one.all > one.own > 0 for one in money.fees.values())
    feed = Feed()
    feed.add(money)
    return feed.fees


def test_every_payout_of_a_year_is_explained_and_everything_adds_up(two_profiles, client, account) -> None:
    """Guards: payouts, returned ones, holds, transfers and three currencies whose sums agree with nobody's."""
    read(two_profiles, client, account)
    assert broken(two_profiles) == set()
    columns = payout_lines.c
    neither = select(func.count()).where(columns.ledger_id.is_(None), columns.reason.is_(None))
    taken = select(payouts.c.payout_id, payouts.c.balance_micros).where(payouts.c.state != "on_the_way")
    made = select(columns.payout_id, func.sum(columns.net_micros)).group_by(columns.payout_id)
    row = (columns.ledger_id, payouts.c.payout_id)
    living = (
        select(*row)
        .join(payouts, payouts.c.payout_id == columns.payout_id)
        .where(payouts.c.state != "released", columns.ledger_id.is_not(None))
        .distinct()
    )
    with two_profiles.read() as connection:
        assert connection.execute(neither).scalar_one() == 0
        assert {id_: int(micros) for id_, micros in connection.execute(made)} == dict(connection.execute(taken).all())
        settled = [ledger_id for ledger_id, _ in connection.execute(living)]
        known = set(connection.execute(select(sales_events.c.id)).scalars())
    assert len(settled) == len(set(settled))
    assert set(settled) <= known


def test_what_payments_tell_of_their_costs_is_compared_with_the_feed(two_profiles, client, account) -> None:
    """Incident: red on each account with a tax or an affiliate, as if payments told other fees than Whop takes."""
    read(two_profiles, client, account)
    assert fees_that_differ(two_profiles) == {}
    with two_profiles.write() as connection:
        connection.execute(update(whop_payments).values(fee_micros=whop_payments.c.fee_micros + 5_000_000))
    assert "told; " in fees_that_differ(two_profiles)["alice USD"]


@pytest.mark.parametrize(
    ("switch", "value", "told"),
    [
        ("newest_first", False, set()),
        ("offset_cursors", False, set()),
        ("amount_with_fee", False, set()),
        ("inclusive_fee_line", True, set()),
        ("line_when_completed", True, {"statement_ties"}),
        ("fees_back", True, set()),
        ("kept_after_all", True, set()),
        ("statement_by_posting", True, {"statement_ties"}),
    ],
)
def test_each_other_reading_of_the_documentation_adds_up_or_is_told(
    two_profiles, monkeypatch, switch, value, told
) -> None:
    """Guards: a guess about Whop that is wrong, and silent."""
    monkeypatch.setattr(invented, "Readings", partial(Readings, **{switch: value}))
    world = World.invented(today=TODAY, sizes={"alice": 3}, anew=True)
    account = world.whop["alice"]
    with SandboxServer(world) as server, open_client(server, account.key) as client:
        read(two_profiles, client, account)
    assert broken(two_profiles) == told
    if switch == "kept_after_all":
        assert fees_that_differ(two_profiles) == {}
