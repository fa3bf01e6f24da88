"""The demo's last part: the books, a line for each account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from creator_pipeline.core.money import decimals, to_decimal, to_text
from creator_pipeline.platforms import sources
from creator_pipeline.store.source import label_of

if TYPE_CHECKING:
    from creator_pipeline.sandbox.stand_in import Demo

_WIDTHS = (12, 11, 11, 12, 11, 12)
_HEADER = ("sold", "went back", "fees", "paid out", "balance", "unexplained")


def show(demo: Demo) -> None:
    """Print the books of each account, and what isn't explained."""
    from creator_pipeline.ledger.statement import statements
    from creator_pipeline.store.profiles import every_id

    click.echo(f"\n{'profile':9}{'account':16}" + "".join(map(str.rjust, _HEADER, _WIDTHS)))
    for profile_id in every_id(demo.warehouse):
        with demo.warehouse.read() as connection:
            found = statements(connection, profile_id)
        for (platform, currency), one in found.items():
            sums = one.sums
            back = sums.get("refunds", 0) + sums.get("chargebacks", 0)
            fees = sums.get("fees", 0) + sums.get("fees_returned", 0) + sums.get("payout_fees", 0)
            figures = (sums.get("sales", 0), back, fees, sums.get("payouts", 0), one.closing)
            # Whop books fractions of a cent: the table is for reading. What isn't explained is shown to the last digit.
            texts = (*(_rounded(micros, currency) for micros in figures), to_text(one.unexplained, currency))
            account = f"{label_of(sources(), platform)} {currency}"
            click.echo(f"{profile_id:9}{account:16}" + "".join(map(str.rjust, texts, _WIDTHS)))
    _say_unexplained(demo)


def _say_unexplained(demo: Demo) -> None:
    from sqlalchemy import select

    from creator_pipeline.store.tables import unexplained

    with demo.warehouse.read() as connection:
        rows = connection.execute(select(unexplained).order_by(unexplained.c.profile_id, unexplained.c.key)).all()
    for row in rows:
        amount = to_text(row.amount_micros, row.currency)
        account = f"{row.profile_id}, {label_of(sources(), row.provider)}"
        click.echo(f"    unexplained: {account}: {amount} {row.currency} of {row.scope} {row.key}: {row.reason}")


def _rounded(micros: int, currency: str) -> str:
    return f"{to_decimal(micros):.{decimals(currency)}f}"
