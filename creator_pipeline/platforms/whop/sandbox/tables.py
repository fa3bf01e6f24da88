"""The lists beside memberships, payments and the money: products, codes, affiliates, leads, invoices, reviews."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from decimal import Decimal

from creator_pipeline.platforms.whop.sandbox.account import WhopAccount
from creator_pipeline.platforms.whop.sandbox.object_json import Json, ident, money, stamp

MORE_NEEDS = {
    "variants": "plan:basic:read",
    "products": "access_pass:basic:read",
    "promo_codes": "promo_code:basic:read",
    "affiliates": "affiliate:basic:read",
    "leads": "lead:basic:read",
    "waitlist_entries": "plan:waitlist:read",
    "invoices": "invoice:basic:read",
    "reviews": "",
    "transfers": "transfer:read",
}
"""Permission that each of these lists needs; none where it is empty."""
KEPT_AS = {"variants": "plans"}
"""Where the rows of a list are, if not under its own name."""
PERSONS = ("Ada Brook", "Dilip Rao", "Nina Falk")
"""Names that no table of the pipeline may hold."""


def live_with_tables(account: WhopAccount, rng: random.Random, midnight: datetime, days: int, count: int) -> None:
    """Rows of each list: few of most, as many leads as memberships.

    Args:
        account: whose.
        rng: makes the times.
        midnight: begin of the last day.
        days: of the history.
        count: memberships of the account.
    """
    plans = list(account.tables["plans"].values())
    for plan in plans:
        account.put("products", _product(plan))
    for number in range(max(2, count // 2)):
        created = midnight - timedelta(seconds=rng.randrange(60, (days - 1) * 86_400), milliseconds=number)
        for table, row in _rows(account, number, plans[number % len(plans)], created).items():
            # Of most lists there are few rows, whatever is sold.
            if number < _MOST.get(table, count):
                account.put(table, row)


_MOST = {"promo_codes": 2, "affiliates": 3, "transfers": 2, "reviews": 20, "waitlist_entries": 12, "invoices": 15}


def _product(plan: Json) -> Json:
    nulls = "default_plan description external_identifier headline metadata variant_attributes"
    return dict.fromkeys(nulls.split()) | {
        "id": plan["product"]["id"],
        "account": plan["account"],
        "average_review_rating": 4.5,
        "created_at": plan["created_at"],
        "gallery_images": [],
        "labels": [],
        "member_count": 12.0,
        "published_reviews_count": 1.0,
        "route": plan["title"].lower(),
        "title": plan["product"]["title"],
        "updated_at": plan["updated_at"],
        "verified": False,
        "visibility": "visible",
    }


def _rows(account: WhopAccount, number: int, plan: Json, created: datetime) -> dict[str, Json]:
    name = PERSONS[number % len(PERSONS)]
    user = {"id": ident("user_", account.id, "lead", number), "name": name, "username": name.split()[0].lower()}
    mail = f"lead{number}@example.com"
    times = {"created_at": stamp(created), "updated_at": stamp(created)}
    currency, price = plan["currency"], Decimal(plan["initial_price_due"]["amount"])
    product = {"id": plan["product"]["id"], "title": plan["product"]["title"]}

    def own(prefix: str) -> str:
        return ident(prefix, account.id, prefix, number)

    return {
        "promo_codes": times
        | {
            "id": own("promo_"),
            "account": plan["account"],
            "amount_off": 0.25 if number == 0 else 5.0,
            "code": ("AUTUMN", "FRIENDS")[number % 2],
            "currency": currency,
            "duration": ("once", "repeating")[number % 2],
            "expires_at": None,
            "metadata": {},
            "product": product if number else None,
            "promo_duration_months": 3 if number else None,
            "promo_type": "percentage" if number == 0 else "flat_amount",
            "status": "active",
            "stock": 50,
            "unlimited_stock": number == 0,
            "uses": 41,
            **dict.fromkeys(
                ["one_per_customer", "new_users_only", "churned_users_only", "existing_memberships_only"], False
            ),
        },
        "affiliates": times
        | {
            "id": own("aff_"),
            "active_members_count": 4,
            "company": {"id": account.id, "title": "Sandbox"},
            "customer_retention_rate": "80.0",
            "customer_retention_rate_ninety_days": "75.0",
            "monthly_recurring_revenue_usd": "$1,116.00",
            "status": "active",
            "total_overrides_count": 0,
            "total_referral_earnings_usd": "57.40",
            "total_referrals_count": 5,
            "total_revenue_usd": "287.00",
            "user": user,
        },
        "leads": times
        | {
            "id": own("lead_"),
            "member": None,
            "metadata": {"utm_source": "letter"},
            "product": product,
            "referrer": f"https://letters.example.org/read?for={mail}",
            "user": user | {"email": mail},
        },
        "waitlist_entries": times
        | {
            "id": own("entry_"),
            "account_id": account.id,
            "approval_failure_reason": None,
            "buyer_account_id": None,
            "custom_field_responses": [{"question": "Who are you?", "answer": name}],
            "membership_id": None,
            "metadata": {},
            "plan_id": plan["id"],
            "product_id": product["id"],
            "status": "pending",
            "user_id": user["id"],
        },
        "invoices": {
            "id": own("inv_"),
            "created_at": times["created_at"],
            "current_plan": {"id": plan["id"], "currency": currency, "formatted_price": f"{price} {currency}"},
            "due_date": stamp(created + timedelta(days=14)),
            "email_address": mail,
            "fetch_invoice_token": f"opens-{own('inv_')}",
            "line_items": [
                {"label": "Setup", "position": 1, "quantity": 1.0, "total": 120.0, "unit_price": 120.0},
                {"label": "Loyalty", "position": 2, "quantity": 1.0, "total": -15.5, "unit_price": -15.5},
            ],
            "number": f"#{number:04d}",
            "payment_processing": False,
            "status": "open",
            "user": user,
        },
        "reviews": times
        | {
            "id": own("rev_"),
            "attachments": [],
            "description": f"Good. Write me at {mail}",
            "joined_at": None,
            "paid_for_product": True,
            "published_at": times["created_at"],
            "stars": 5 - number % 3,
            "status": "published",
            "title": None,
            "user": user,
        },
        "transfers": {
            "id": own("ctt_"),
            "amount": money(price, currency),
            "created_at": times["created_at"],
            "destination": {"id": "biz_elsewhere" if number else account.id, "name": name, "object": "account"},
            "failed_at": None,
            "failure_code": None,
            "failure_reason": None,
            "fee": None,
            "metadata": {},
            "notes": f"For {name}",
            "object": "transfer",
            "origin": {"id": account.id if number else "biz_elsewhere", "name": name, "object": "account"},
            "status": "succeeded",
            "status_changed_at": times["created_at"],
            "succeeded_at": times["created_at"],
            "tracking_url": "https://example.com/transfer",
        },
    }


def listed(row: Json, table: str, asked: dict[str, str]) -> bool:
    """Whether a list shows a row: of reviews published ones, of a waiting list none that are canceled.

    Args:
        row: of the list.
        table: its name.
        asked: parameters of the query.
    """
    if table == "transfers":
        sides = {"origin_id": "origin", "destination_id": "destination"}
        return all(row[side]["id"] == asked[name] for name, side in sides.items() if name in asked)
    if table == "reviews":
        return row["status"] == "published"
    return table != "waitlist_entries" or row["status"] != "canceled" or "status" in asked
