"""The stand-in of Amazon KDP: reports, as a person would upload them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from creator_pipeline.core.money import from_decimal, to_text
from creator_pipeline.platforms.kdp import PLATFORM
from creator_pipeline.platforms.kdp.sandbox.payments_report import InventedPayments, paid_out, payments_report
from creator_pipeline.platforms.kdp.sandbox.reports import InventedReport, ledger_totals, prior_month
from creator_pipeline.sandbox.stand_in import Compared, Demo, StandIn

SEED = 7


def invented_report(demo: Demo) -> InventedReport:
    """The report of the month before the demo's day; the same each time."""
    return prior_month(SEED, demo.today)


def invented_payments(demo: Demo) -> InventedPayments:
    """The Payments report of the demo's day; the same each time."""
    return payments_report(SEED, demo.today)


def upload(demo: Demo) -> None:
    """Put the reports into the inbox as an upload does: written beside it, then renamed.

    The newest month comes first, then the months that its payments are for, and at last the payments.
    """
    payments = invented_payments(demo)
    files = [(report.name, report.content) for report in reversed(payments.royalties)]
    folder = Path(demo.config.inbox) / demo.profile_id
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (*files, (payments.name, payments.content)):
        part = folder / f"{name}.part"
        part.write_bytes(content)
        part.rename(folder / name)


def compare(demo: Demo) -> Iterator[Compared]:
    """Wait until the daemon has read the reports; then a line for each currency, and one for what was paid."""
    report, payments, profile_id = invented_report(demo), invented_payments(demo), demo.profile_id
    wanted = {code: from_decimal(amount) for code, amount in payments.paid.items()}
    deadline = time.monotonic() + demo.seconds
    while True:
        here, paid = ledger_totals(demo.warehouse, profile_id, report.month), paid_out(demo.warehouse, profile_id)
        if (here, paid) == (report.totals, wanted) or time.monotonic() >= deadline:
            break
        time.sleep(0.5)
    yield Compared(
        f"\n{'profile':9}{'month':9}{'units':>7}{'KENP pages':>12}  Amazon KDP, from the inbox, against the report",
        [] if here == report.totals else [f"{report.name}: ledger {here}, report {report.totals}"],
    )
    for currency, micros in sorted(here.micros.items()) or [("", 0)]:
        equal = report.totals.micros.get(currency) == micros and here[:2] == report.totals[:2]
        yield Compared(
            f"{profile_id:9}{report.month:%Y-%m}  {here.units:7}{here.pages:12}"
            f"{to_text(micros, currency):>12} {currency:3}  {'equal to the report' if equal else 'differs'}"
        )
    for currency, micros in sorted(wanted.items()):
        found, equal = paid.get(currency, 0), paid.get(currency, 0) == micros
        said = "paid to the bank, equal to the report" if equal else "paid to the bank, differs"
        differs = f"{payments.name}: {to_text(found, currency)}, report {to_text(micros, currency)}"
        yield Compared(
            f"{profile_id:28}{to_text(found, currency):>12} {currency:3}  {said}", [] if equal else [differs]
        )


STAND_IN = StandIn(name=PLATFORM.name, upload=upload, compare=compare)
