"""What doctor and health ask of Bazaar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import func, select

from creator_pipeline.core.caller import Caller
from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.platforms.checks import Checks
from creator_pipeline.platforms.webhooks import Account
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.platforms.bazaar.client import URL, classify
from creator_pipeline_tests.platforms.bazaar.tables import bazaar_orders
from creator_pipeline_tests.platforms.bazaar.webhook import SECRET


def _setup(config: Settings) -> Sequence[Check]:
    state = "ok" if config.variable(SECRET) else "off"
    return [Check("bazaar webhooks", lambda: [Finding("bazaar webhooks", state, f"{SECRET} decides it")])]


def _account(config: Settings, account: Account, token: str) -> Iterator[Finding]:
    name = f"bazaar {account.profile_id}"
    with Caller(config.variable(URL), token, classify) as caller:
        caller.get("/shop")
        yield Finding(f"{name} api", "ok", f"{caller.host} answers")


def _health(warehouse: Warehouse, _config: Settings) -> Sequence[Check]:
    return [Check("bazaar/negative", lambda: _negative(warehouse))]


def _negative(warehouse: Warehouse) -> Iterator[Finding]:
    orders = bazaar_orders.c
    with warehouse.read() as connection:
        asked = select(func.count()).where(orders.refunded_micros > orders.paid_micros)
        count = connection.execute(asked).scalar_one()
    if count:
        yield Finding("bazaar/negative", "no", f"{count} orders gave back too much.", "Ask Bazaar.", "Bazaar's orders")


CHECKS = Checks(setup=_setup, account=_account, health=_health)
