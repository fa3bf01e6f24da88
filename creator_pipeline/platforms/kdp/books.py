"""The books of KDP: the equations of payments and royalties."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from sqlalchemy import Connection, case, func, literal, select

from creator_pipeline.core.money import to_text
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.platforms.books import Books, Identity, NotReadable
from creator_pipeline.platforms.kdp.ingest import lock_uploads
from creator_pipeline.platforms.kdp.ledger_rewrite import rewrite_months
from creator_pipeline.platforms.kdp.models import next_period
from creator_pipeline.platforms.kdp.payment_choice import Chosen
from creator_pipeline.platforms.kdp.payment_models import UNROUNDED_MICROS
from creator_pipeline.platforms.kdp.payouts import implied_rate, minor_unit
from creator_pipeline.platforms.kdp.payouts_store import read_payouts, rewrite_payouts, unread_uploads
from creator_pipeline.platforms.kdp.ties import Final, Tie, threshold_micros, tie
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import kdp_royalties

NAMES = {
    "payment_closes": "Net earnings of a payment are its accrued royalty less withholding and with adjustments.",
    "accrued_equals_breakdown": "The accrued royalty of a payment is that of the rows below it.",
    "withheld_equals_breakdown": "The tax withheld from a payment is that of the rows below it.",
    "breakdown_closes": "Net earnings of the rows below a payment are their royalty less tax and with adjustments.",
    "payout_equals_net_at_rate": "The bank gets the net earnings, at the printed rate where the currencies differ.",
    "payment_status_known": "The status of a payment is a word that this release knows.",
    "accrued_equals_royalties": "What payments accrued for a month and marketplace is its final royalties.",
    "royalties_are_paid": "Royalties that are due were paid; less than is ever paid out isn't due.",
}


def identities(connection: Connection, profile_id: str) -> Iterator[Identity]:
    """All equations of a profile, with their figures."""
    chosen = read_payouts(connection, profile_id)
    for each in chosen:
        yield from of_payment(each)
    yield from of_months(tie(final_royalties(connection, profile_id), chosen), chosen, today())


def of_payment(chosen: Chosen) -> Iterator[Identity]:
    """The equations of one payment."""
    payment, key, code = chosen.payment, chosen.payout_id, chosen.payment.currency

    def equal(name: str, stated: int, found: int, reason: str) -> Identity:
        return Identity(name, "payout", key, code, stated, found, UNROUNDED_MICROS, reason)

    yield equal("payment_closes", payment.net_micros, payment.computed_micros, "The numbers of its row don't add up.")
    if details := payment.details:
        accrued, reason = payment.accrued_below_micros, "below the payment isn't its own: a newer report tells."
        withheld, net = sum(each.withheld_micros for each in details), sum(each.net_micros for each in details)
        adjustments = sum(each.adjustments_micros for each in details)
        yield equal("accrued_equals_breakdown", payment.accrued_micros, accrued, f"The royalty of the rows {reason}")
        yield equal("withheld_equals_breakdown", payment.withheld_micros, withheld, f"The tax of the rows {reason}")
        reason = "The numbers of the rows below the payment don't add up."
        yield equal("breakdown_closes", net, accrued - withheld + adjustments, reason)
    yield from _at_rate(chosen)
    if not payment.known_status:
        reason = f"The status {payment.status!r} is not known: its money counts as on the way."
        yield Identity("payment_status_known", "payout", key, code, payment.net_micros, 0, 0, reason)


def _at_rate(chosen: Chosen) -> Iterator[Identity]:
    payment, code = chosen.payment, chosen.payment.payout_currency
    if payment.payout_micros is None:
        return
    unit = minor_unit(code)
    found, tolerance, reason = payment.net_micros, unit - 1, "The bank got something else than the net earnings."
    if code != payment.currency:
        try:
            rate = Decimal(payment.fx_rate or "")
        except InvalidOperation:
            rate = Decimal(0)
        net = Decimal(payment.net_micros)
        found = int((net * rate).quantize(Decimal(1), ROUND_HALF_UP))
        # Half of the printed rate's last digit, and half of a cent.
        digit = Decimal(1).scaleb(int(rate.as_tuple().exponent))
        tolerance = int(abs(net) * digit / 2) + unit // 2 + 1
        reason = (
            f"The printed rate is {payment.fx_rate or 'missing'}, payout by net earnings is {implied_rate(payment)}."
        )
    yield Identity(
        "payout_equals_net_at_rate",
        *("payout", chosen.payout_id, code),
        payment.payout_micros,
        found,
        tolerance,
        reason,
    )


def of_months(ties: Sequence[Tie], payments: Sequence[Chosen], day: date) -> Iterator[Identity]:
    """The equations of payments and royalties.

    Args:
        ties: of all months and marketplaces.
        payments: all payments.
        day: today, UTC.
    """
    methods = _methods(payments)
    owed: defaultdict[tuple[str, str], int] = defaultdict(int)
    for each in ties:
        if each.unpaid_micros and day > each.late_after():
            owed[each.marketplace, each.currency] += each.unpaid_micros
    for each in ties:
        key = f"{each.month:%Y-%m} {each.marketplace}"
        waits = each.unpaid_micros
        if each.accrued_micros is not None:
            yield Identity(
                "accrued_equals_royalties",
                *("month", key, each.currency),
                each.accrued_micros,
                (each.final_micros or 0) - waits,
                each.tolerance_micros,
                _of_accrued(each),
            )
        if each.final_micros is None:
            continue
        method = methods.get(each.marketplace, methods.get(""))
        least = threshold_micros(each.marketplace, each.currency, method)
        late = day > each.late_after()
        finding = waits and late and owed[each.marketplace, each.currency] >= least
        yield Identity(
            "royalties_are_paid",
            *("month", key, each.currency),
            waits if finding else 0,
            0,
            0,
            _of_unpaid(each, late=late, least=least) if waits else each.verdict,
        )


def _of_accrued(each: Tie) -> str:
    if each.verdict == "paid without royalties":
        return f"{each.verdict}: upload the final report of {each.month:%Y-%m} (Prior Months' Royalties)."
    if each.verdict == "differs" and each.unpaid_micros:
        return "ok: only Expanded Distribution isn't paid, which comes later."
    failed = f" Failed: payment {', '.join(each.failed)}." if each.failed else ""
    return f"{each.verdict}: what was paid is not the final royalties.{failed}" if each.verdict != "ok" else "ok"


def _of_unpaid(each: Tie, *, late: bool, least: int) -> str:
    what = f"unpaid: {to_text(each.unpaid_micros, each.currency)} {each.currency}"
    if each.failed:
        what += f", payment {', '.join(each.failed)} failed"
    if not late:
        return f"{what}; late after {each.late_after()}"
    return f"{what}; what is owed there below {to_text(least, each.currency)} {each.currency} isn't paid out"


def _methods(payments: Iterable[Chosen]) -> dict[str, str | None]:
    """The method of the newest payment of each marketplace; of all of them under the empty name."""
    methods = dict[str, str | None]()
    for each in sorted(payments, key=lambda each: (each.payment.paid_on or date.min, each.payout_id)):
        methods[each.payment.marketplace] = methods[""] = each.payment.method
    return methods


def final_royalties(connection: Connection, profile_id: str) -> list[Final]:
    """Final royalties by marketplace, currency and month, of the rows that count in the ledger."""
    rows = kdp_royalties.c
    expanded = rows.event_key.contains("|expanded|", autoescape=True)
    found = connection.execute(
        select(
            func.min(rows.marketplace),
            rows.currency,
            rows.occurred_on,
            func.sum(rows.royalty_micros),
            func.sum(case((expanded, rows.royalty_micros), else_=literal(0))),
        )
        .where(rows.profile_id == profile_id, rows.counted, rows.finality == "final", rows.currency.is_not(None))
        .group_by(func.lower(rows.marketplace), rows.currency, rows.occurred_on)
    )
    return [Final(shop or "", code, month, int(micros), int(late)) for shop, code, month, micros, late in found]


def rebuild(warehouse: Warehouse, profile_id: str, window: DayWindow) -> int:
    """Make the ledger and the payouts equal to the stored rows; no report is read again.

    Args:
        warehouse: where they are.
        profile_id: owner.
        window: half-open UTC days of what was sold; the months that they touch are made anew.

    Returns:
        number of rows of the ledger that changed.
    """
    months, month = list[date](), window.start.replace(day=1)
    while month < window.end:
        months.append(month)
        month = next_period(month, "month")
    with warehouse.write() as connection:
        lock_uploads(connection, profile_id)
        change = rewrite_months(connection, profile_id, months).change + rewrite_payouts(connection, profile_id).ledger
    return change.inserted + change.updated + change.deleted


def not_readable(connection: Connection, profile_id: str) -> Iterator[NotReadable]:
    """Payments reports that were taken by a release that kept only a part of their rows."""
    if count := unread_uploads(connection, profile_id):
        yield NotReadable(
            "payments",
            f"{count} Payments reports were uploaded before their payments were kept.",
            "Materialize their partitions of kdp/payments again, or upload the newest Payments report.",
        )


BOOKS = Books(
    identities=identities,
    names=NAMES,
    rebuild=rebuild,
    follows=("kdp/payments", "kdp/royalties"),
    not_readable=not_readable,
)
