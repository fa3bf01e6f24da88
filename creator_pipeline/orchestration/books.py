"""Assets ``books/PLATFORM``: what arrived at the bank, beside what was sold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, timedelta
from typing import Any

import dagster as dg
from sqlalchemy import func, select, union
from sqlalchemy.exc import SQLAlchemyError

from creator_pipeline import settings
from creator_pipeline.core.errors import PipelineError
from creator_pipeline.core.money import to_text
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.ledger.chart import as_markdown
from creator_pipeline.ledger.movements import LIVE
from creator_pipeline.ledger.payout_chart import Week, draw_payouts
from creator_pipeline.ledger.statement import KINDS, Statement, statements
from creator_pipeline.mail.consent import notify_consent
from creator_pipeline.orchestration.book_checks import identities, keep_unexplained, names_of
from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.platforms.books import Books, Identity
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.runtime.asset_jobs import asset_job
from creator_pipeline.runtime.describe import OWNERS, column_schema, preview
from creator_pipeline.runtime.keys import asset_key, named_key
from creator_pipeline.runtime.links import code, see
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.runtime.stream_assets import NIGHTLY
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import Change
from creator_pipeline.store.tables import payouts, profiles, sales_events, unexplained

PICTURE_WEEKS = 26
_SHOWN = 20


def with_books(platforms: Sequence[Platform] = PLATFORMS) -> list[tuple[Platform, Books]]:
    """Those of some platforms that have books, with them."""
    return [(platform, platform.books.get()) for platform in platforms if platform.books is not None]


def rebuild(warehouse: Warehouse, profile_id: str) -> int:
    """Make a profile's ledger anew from what is stored; closed months stand.

    Returns:
        number of rows that changed.
    """
    everything = DayWindow(date(2000, 1, 1), today() + timedelta(days=2))
    return sum(books.rebuild(warehouse, profile_id, everything) for _, books in with_books())


def profiles_of(warehouse: Warehouse, platform: Platform) -> list[str]:
    """Profiles that have a row of the ledger or a payout on a platform, and are not erased."""
    ledger, paid = sales_events.c, payouts.c
    some = union(
        select(ledger.profile_id).where(ledger.platform == platform.in_ledger),
        select(paid.profile_id).where(paid.provider == platform.in_ledger),
    )
    with warehouse.read() as connection:
        return list(
            connection.execute(select(profiles.c.id).where(profiles.c.id.in_(some)).order_by(profiles.c.id)).scalars()
        )


def settle(warehouse: Warehouse, platform: Platform, profile_id: str) -> tuple[list[Identity], Change]:
    """Check the books of one profile on one platform, and keep what isn't explained.

    Args:
        warehouse: with the tables.
        platform: whose books.
        profile_id: whose account.
    """
    with warehouse.write() as connection:
        found = identities(connection, platform, profile_id)
        change = keep_unexplained(connection, platform, profile_id, found)
    return found, change


def ask_for_consent(warehouse: Warehouse, platform: Platform, books: Books, profile_id: str) -> None:
    """Ask a seller by mail, once, to connect again, where that lets more be read.

    Args:
        warehouse: tells what can't be read.
        platform: whose account.
        books: of the platform.
        profile_id: the seller.
    """
    with warehouse.read() as connection:
        tables = [one for one in books.not_readable(connection, profile_id) if one.brings]
    for brings in dict.fromkeys(one.brings for one in tables):
        what = ", ".join(one.yours for one in tables if one.brings == brings)
        notify_consent(
            warehouse, settings.load(), profile_id=profile_id, source=platform.source, what=what, brings=brings
        )


def books_asset(platform: Platform, books: Books) -> dg.AssetsDefinition:
    """The asset ``books/PLATFORM`` with a check for each equation.

    Raises:
        dg.Failure: the books of a profile could not be checked; those of the others were.
    """
    key = asset_key("books", platform.name)
    names = names_of(books)

    @dg.multi_asset(
        name=f"books_{platform.name}",
        specs=[
            dg.AssetSpec(
                key,
                deps=[
                    *(named_key(name) for name in books.follows),
                    asset_key("sales_events", platform.in_ledger),
                ],
                description=f"The books of {platform.label}: payouts beside the ledger, and what isn't explained "
                "(table `unexplained`). Each check is an equation with its figures."
                f"{see('books.md')}",
                group_name="books",
                kinds={platform.name, "python", "table"},
                owners=OWNERS,
                metadata={**column_schema(unexplained), **code(books.identities, settle)},
                freshness_policy=NIGHTLY,
            )
        ],
        check_specs=[dg.AssetCheckSpec(name, asset=key, description=text) for name, text in names.items()],
    )
    def body(warehouse: WarehouseResource) -> Iterator[Any]:
        """Check every profile; one whose books break is named and stops no other."""
        stored, found, broken = warehouse.open(), dict[str, list[Identity]](), dict[str, str]()
        changed = Change()
        for profile_id in profiles_of(stored, platform):
            try:
                found[profile_id], change = settle(stored, platform, profile_id)
                changed += change
                ask_for_consent(stored, platform, books, profile_id)
            except (PipelineError, SQLAlchemyError) as error:
                broken[profile_id] = str(error)
        yield dg.MaterializeResult(asset_key=key, metadata={**changed.metadata(), **_metadata(stored, platform, found)})
        for name in names:
            yield _result(key, name, found)
        if broken:
            raise dg.Failure("\n".join(f"{profile_id}: {text}" for profile_id, text in broken.items()))

    return body


def _result(key: dg.AssetKey, name: str, found: Mapping[str, Sequence[Identity]]) -> dg.AssetCheckResult:
    mine = [(profile_id, one) for profile_id, all_ in found.items() for one in all_ if one.name == name]
    off = [(profile_id, one) for profile_id, one in mine if not one.holds]
    shown = [
        (
            profile_id,
            one.currency,
            f"{one.scope} {one.key}",
            to_text(one.stated_micros, one.currency),
            to_text(one.found_micros, one.currency),
            to_text(one.difference_micros, one.currency),
            one.reason,
        )
        for profile_id, one in (off or mine)[:_SHOWN]
    ]
    header = ("profile", "currency", "of", "platform", "here", "difference", "reason")
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=name,
        passed=not off,
        severity=dg.AssetCheckSeverity.ERROR,
        description=None if not off else f"{len(off)} of {len(mine)} do not hold.",
        metadata={
            "compared": len(mine),
            "do_not_hold": len(off),
            **({"figures": preview(header, shown)} if shown else {}),
            **({"hint": "creator-pipeline books show --profile PROFILE; see docs/books.md"} if off else {}),
        },
    )


def _metadata(warehouse: Warehouse, platform: Platform, found: Mapping[str, Sequence[Identity]]) -> dict[str, Any]:
    rows: list[tuple[str, str, Statement]] = []
    with warehouse.read() as connection:
        for profile_id in found:
            rows += [
                (profile_id, currency, one)
                for (name, currency), one in statements(connection, profile_id).items()
                if name == platform.in_ledger
            ]
    weeks = _weeks(warehouse, platform)
    text = f"Payouts of the last {PICTURE_WEEKS} weeks, explained and not"
    shown = [kind for kind in KINDS if any(one.sums.get(kind) for _, _, one in rows)]
    table = [
        (
            profile_id,
            currency,
            *(to_text(one.sums.get(kind, 0), currency) for kind in shown),
            to_text(one.closing, currency),
            to_text(one.unexplained, currency),
            to_text(one.estimated, currency),
        )
        for profile_id, currency, one in rows
    ]
    header = ("profile", "currency", *(kind.replace("_", " ") for kind in shown), "balance", "unexplained", "estimated")
    return {
        "profiles": len(found),
        "dagster/row_count": sum(not one.holds for all_ in found.values() for one in all_),
        "books": preview(header, table),
        "picture": dg.MetadataValue.md(f"{as_markdown(draw_payouts(weeks, today(), PICTURE_WEEKS), text)}\n\n{text}."),
        **_figures(rows),
    }


def _figures(rows: Sequence[tuple[str, str, Statement]]) -> dict[str, float]:
    """For plots, over all profiles; in units, so these are pictures' figures and no money to count with."""
    sums: dict[str, int] = {}
    for _, currency, one in rows:
        for name, micros in (("balance", one.closing), ("unexplained", one.unexplained), ("estimated", one.estimated)):
            sums[f"{name}_{currency}"] = sums.get(f"{name}_{currency}", 0) + micros
    return {name: micros / 1_000_000 for name, micros in sums.items()}


def _weeks(warehouse: Warehouse, platform: Platform) -> list[Week]:
    first = today() - timedelta(weeks=PICTURE_WEEKS)
    head, open_ = payouts.c, unexplained.c
    with warehouse.read() as connection:
        off = dict(
            connection.execute(
                select(open_.key, func.sum(func.abs(open_.amount_micros)))
                .where(open_.provider == platform.in_ledger, open_.scope == "payout")
                .group_by(open_.key)
            ).all()
        )
        rows = connection.execute(
            select(head.payout_id, head.created_at, head.currency, head.amount_micros).where(
                head.provider == platform.in_ledger, head.state.in_(LIVE)
            )
        ).all()
    weeks: dict[tuple[date, str], list[int]] = {}
    for payout_id, made, currency, amount in rows:
        day = made.astimezone(UTC).date()
        if day >= first:
            found = weeks.setdefault((day - timedelta(days=day.weekday()), currency), [0, 0])
            open_micros = min(amount, int(off.get(payout_id, 0)))
            found[0] += amount - open_micros
            found[1] += open_micros
    return [Week(monday, currency, *micros) for (monday, currency), micros in sorted(weeks.items())]


def all_books(platforms: Sequence[Platform]) -> list[dg.AssetsDefinition]:
    """One for each of these platforms that has books."""
    return [books_asset(platform, books) for platform, books in with_books(platforms)]


def job(platforms: Sequence[Platform]) -> list[Any]:
    """The job ``books``, where one of these platforms has any."""
    keys = [asset_key("books", platform.name) for platform, _ in with_books(platforms)]
    if not keys:
        return []
    return [
        asset_job(
            "books",
            keys,
            "Checks the books of every platform: payouts beside the ledger.",
        )
    ]


def enabled() -> bool:
    """Whether any platform with books is switched on."""
    config = settings.load()
    return any(config.enabled(platform.name) for platform, _ in with_books())
