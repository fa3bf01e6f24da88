"""When Whop's API is not what it was: new names are kept and told once, and a list may be missing."""

from __future__ import annotations

import orjson
from sqlalchemy import select

from creator_pipeline.store.tables import health_reports, whop_payments, whop_subscriptions
from creator_pipeline_tests.support.whop_installation import changes, checks_of, range_of, run, scan


def warnings_of(instance, run_id: str) -> list[str]:
    records = instance.all_logs(run_id)
    return [r.user_message for r in records if r.level == 30 and "has a new" in r.user_message]


def kept(warehouse, payment_id: str, column: str) -> list[dict]:
    with warehouse.read() as connection:
        asked = select(whop_payments.c[column]).where(whop_payments.c.id == payment_id)
        return orjson.loads(connection.execute(asked).scalar_one())


def test_a_new_field_or_word_is_warned_about_once_and_kept(whop_warehouse, whop_instance, whop_sandbox) -> None:
    """Guards: a field that Whop added, dropped in silence; and one that warned each night until nobody looked."""
    tables = whop_sandbox.world.whop["alice"].tables
    for payment in tables["payments"].values():
        payment["surcharge"] = {"amount": "1.00", "contact": "ada@example.com"}
    membership = next(iter(tables["memberships"].values()))
    membership |= {"loyalty_points": 7, "status": "frozen"}
    first = [run(whop_instance, "whop_sync", range_of("alice", "alice")), scan(whop_instance)]
    assert [len(warnings_of(whop_instance, result.run_id)) for result in first] == [1, 2]
    assert [checks_of(whop_instance)[name] for name in ("known_fields", "statuses_known")] == [False, False]
    again = [run(whop_instance, "whop_sync", range_of("alice", "alice")), scan(whop_instance)]
    assert [warnings_of(whop_instance, result.run_id) for result in again] == [[], []]
    with whop_warehouse.read() as connection:
        ids = set(connection.execute(select(health_reports.c.id)).scalars())
        raw = [orjson.loads(text) for text in connection.execute(select(whop_payments.c.raw)).scalars()]
        memberships = [orjson.loads(text) for text in connection.execute(select(whop_subscriptions.c.raw)).scalars()]
    assert ids == {
        "schema/whop/membership field/loyalty_points",
        "schema/whop/membership status/frozen",
        "schema/whop/payment field/surcharge",
    }
    assert raw
    assert all(row["surcharge"] == {"amount": "1.00", "contact": "[address]"} for row in raw)
    assert [row["loyalty_points"] for row in memberships if "loyalty_points" in row] == [7]


def test_without_a_list_of_disputes_they_are_found_by_their_payments_and_that_is_said(
    whop_warehouse, whop_instance, whop_sandbox
) -> None:
    """Guards: a server that answers 404 to /disputes, and no refund was found any more, because the whole run failed."""
    part = whop_sandbox.world.whop
    whop_sandbox.whop.without = frozenset({"disputes"})
    assert run(whop_instance, "whop_sync", range_of("alice", "alice")).success
    assert changes(whop_instance).success
    fine = [row["id"] for row in part["alice"].tables["payments"].values() if row["substatus"] == "succeeded"]
    dispute = part.dispute("alice", fine[0])
    part.refund("alice", fine[1])
    assert changes(whop_instance).success
    assert checks_of(whop_instance)["disputes_listed"] is False
    assert [entry["status"] for entry in kept(whop_warehouse, fine[0], "disputes")] == ["needs_response"]
    assert len(kept(whop_warehouse, fine[1], "refunds")) == 1
    part.close_dispute("alice", dispute["id"], "won")
    assert changes(whop_instance).success
    assert [entry["status"] for entry in kept(whop_warehouse, fine[0], "disputes")] == ["won"]
