"""Answers of API v2 as they are shaped, and the scopes that routes ask for."""

from __future__ import annotations

import orjson
from starlette.responses import Response

JSON = "application/json; charset=utf-8"
PUBLIC_SCOPES = frozenset(
    {"view_public", "view_profile", "edit_products", "view_sales", "mark_sales_as_shipped", "edit_sales"}
    | {"revenue_share", "ifttt", "view_payouts", "view_tax_data", "account"}
)
SALES_SCOPES = frozenset({"view_sales", "account"})


def answer(**fields: object) -> Response:
    """200 with ``success: true``."""
    return Response(orjson.dumps({"success": True, **fields}), 200, media_type=JSON)


def failure(message: str, status: int = 200) -> Response:
    """``success: false``, as a rule with 200: not found, not valid."""
    return Response(orjson.dumps({"success": False, "message": message}), status, media_type=JSON)


def bad_parameter(message: str) -> Response:
    """400 in its own shape, without ``success``."""
    return Response(orjson.dumps({"status": 400, "error": message}), 400, media_type=JSON)
