"""Bazaar's API: pages of orders, and one order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from creator_pipeline import settings
from creator_pipeline.core.errors import AuthError, DataError, PipelineError
from creator_pipeline.core.http import Answer, ApiClient
from creator_pipeline.core.windows import DayWindow
from creator_pipeline.runtime.resources import PlatformResource
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.source import Source
from creator_pipeline.store.token_keys import installation_ring
from creator_pipeline_tests.platforms.bazaar import PLATFORM

URL = "BAZAAR_API_URL"


def classify(answer: Answer) -> PipelineError | None:
    """Bazaar's own errors; the common ones are the client's."""
    if answer.status == 401:
        return AuthError("Bazaar refuses the token.", hint="Make a new one: Bazaar, Shop, API.", revoked=True)
    return None


class BazaarClient(ApiClient):
    """One shop, by its token."""

    def __enter__(self) -> BazaarClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def orders(self, window: DayWindow) -> Iterator[dict[str, Any]]:
        """The orders made in half-open days, page by page."""
        page: str | None = "1"
        while page:
            asked = {"from": window.start.isoformat(), "until": window.end.isoformat(), "page": page}
            body = self.get("/orders", asked)
            if not isinstance(body, dict) or not isinstance(body.get("orders"), list):
                raise DataError("Bazaar's answer has no list of orders.", hint="The API may have changed.")
            yield from body["orders"]
            page = body.get("next_page")

    def order(self, order_id: str) -> dict[str, Any]:
        """One order."""
        return self.get(f"/orders/{order_id}")


class BazaarResource(PlatformResource):
    """Clients of the connected shops."""

    def source(self) -> Source:
        """Bazaar."""
        return PLATFORM.source

    def client(self, warehouse: Warehouse, profile_id: str) -> BazaarClient:
        """A client of one profile's shop."""
        config = settings.load()
        token = profiles.get_connection(
            warehouse, installation_ring(config), PLATFORM.in_ledger, profile_id
        ).access_token
        return BazaarClient(
            base_url=config.variable(URL), token=token, classify=classify, pace=PLATFORM.pace(config, token)
        )
