"""The part of the invented world that is Gumroad: its sellers, the changes that happen to them, the truth."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from creator_pipeline.platforms.gumroad.sandbox.account import Grant, GumroadSeller
from creator_pipeline.platforms.gumroad.sandbox.changes import MoneyPart, SandboxError
from creator_pipeline.platforms.gumroad.sandbox.shapes import Product, Sale, utc_text

EVENTS = (
    "sale",
    "refund",
    "dispute",
    "dispute_won",
    "cancellation",
    "subscription_updated",
    "subscription_ended",
    "subscription_restarted",
)


class DayTotals(NamedTuple):
    """One UTC day of a seller in US cents; ``sales`` counts charged sales only, gross includes what went back."""

    sales: int = 0
    gross_cents: int = 0
    refunded_cents: int = 0
    fee_cents: int = 0
    charged_back_cents: int = 0


class GumroadPart(MoneyPart):
    """The sellers by profile, the changes that can happen to them, and the totals of their sales."""

    def bearer(self, token: str) -> tuple[GumroadSeller, Grant] | None:
        """Whose access token it is, live or revoked."""
        return next(((s, grant) for s in self.values() for grant in s.grants if grant.token == token), None)

    def add_sale(self, profile: str, *, pings: bool = False, **over: Any) -> Sale:
        """A new sale, by default of the first product, now, at its price.

        ``over`` may hold ``product`` (id or permalink), ``created_at`` (aware datetime), ``price`` (US cents),
        ``email`` and ``full_name`` of the buyer, and any other field of ``Sale``.

        Raises:
            SandboxError: the seller has no such product.
        """
        seller = self[profile]
        with self.lock:
            product = seller.product(str(over.pop("product", seller.products[0].permalink)))
            if product is None:
                raise SandboxError(f"{profile} sells no such product")
            created_at: datetime | None = over.pop("created_at", None)
            created = seller.clock() if created_at is None else int(created_at.timestamp())
            if created_at is None and seller.keys:
                created = max(created, seller.keys[-1][0])
            person = {key: over.pop(key) for key in ("email", "full_name") if key in over}
            seller.inventor.products[product.permalink] = product
            sale = seller.inventor.sale(product.permalink, created, over.pop("price", None), **over)
            for key, value in person.items():
                setattr(sale.buyer, key, value)
            seller.place(sale)
            self._books(profile)[0].sold(sale)
        return self._tell(profile, "sale", sale, pings=pings)

    def revoke(self, profile: str) -> None:
        """The seller withdraws the app: the tokens die, and its webhooks with them."""
        with self.lock:
            for grant in self[profile].grants:
                grant.revoked = True
            self[profile].subscriptions.clear()

    def drop_scope(self, profile: str, scope: str) -> None:
        """The tokens no longer have ``scope``."""
        with self.lock:
            for grant in self[profile].grants:
                grant.scopes.discard(scope)

    def remove_product(self, profile: str, product_id: str) -> None:
        """Deletes a product; its sales stay."""
        with self.lock:
            seller = self[profile]
            seller.products = [product for product in seller.products if product.id != product_id]

    def edit_product(self, profile: str, product_id: str, **fields: object) -> Product:
        """Changes fields of a product; its old sales show a new name at once.

        Raises:
            SandboxError: the seller has no such product.
        """
        seller = self[profile]
        with self.lock:
            product = seller.product(product_id)
            if product is None:
                raise SandboxError(f"{profile} has no product {product_id}")
            for key, value in fields.items():
                setattr(product, key, value)
            for sale in seller.sales.values():
                if sale.product is product:
                    sale.head = None
        return product

    def remove_row(self, profile: str, table: str, row_id: str) -> None:
        """Deletes a row of one of the further lists."""
        with self.lock:
            self[profile].overlay.removed.add((table, row_id))

    def edit_row(self, profile: str, table: str, row_id: str, **fields: object) -> None:
        """Changes fields of a row of one of the further lists."""
        with self.lock:
            self[profile].overlay.edits.setdefault((table, row_id), {}).update(fields)

    def add_row(self, profile: str, table: str, parent: str = "", **item: object) -> None:
        """One more row of one of the further lists.

        Args:
            profile: of the seller.
            table: key of the list in the answer.
            parent: id of the product, or of the category.
            item: as the service shows it.
        """
        with self.lock:
            self[profile].overlay.added.setdefault((table, parent), []).append(dict(item))

    def end_membership(self, profile: str, subscription_id: str, *, pings: bool = False) -> None:
        """A membership is over: its subscriber leaves the list.

        Raises:
            SandboxError: there is no such membership.
        """
        seller = self[profile]
        found = [sale for sale in seller.sales.values() if sale.subscription_id == subscription_id]
        if not found:
            raise SandboxError(f"{profile} has no membership {subscription_id}")
        self.edit_row(
            profile, "subscribers", subscription_id, status="cancelled", cancelled_at=utc_text(seller.clock())
        )
        self._tell(profile, "subscription_ended", found[-1], pings=pings)

    def totals(self, profile: str) -> dict[date, DayTotals]:
        """The truth by UTC day, from the sales themselves and not from their JSON; days without a sale are absent."""
        sums: dict[int, list[int]] = {}
        with self.lock:
            for sale in self[profile].rows:
                if not sale.counts:
                    continue
                day = sums.setdefault(sale.created // 86_400, [0] * 5)
                lost = sale.price - sale.refunded_cents if sale.chargedback else 0
                for at, cents in enumerate((1, sale.price, sale.refunded_cents, sale.fee, lost)):
                    day[at] += cents
        return {
            datetime.fromtimestamp(day * 86_400, UTC).date(): DayTotals(*values) for day, values in sorted(sums.items())
        }
