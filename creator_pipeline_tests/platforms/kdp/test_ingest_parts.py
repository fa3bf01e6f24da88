"""Reports that complement, replace or contradict each other, from the file to the ledger."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from decimal import Decimal

import pytest
from sqlalchemy import delete, func, select, update

from creator_pipeline.core.money import from_decimal
from creator_pipeline.platforms.kdp import ingest
from creator_pipeline.platforms.kdp.checks import counted_twice
from creator_pipeline.platforms.kdp.files import digest
from creator_pipeline.platforms.kdp.parse import parse
from creator_pipeline.platforms.kdp.withdraw import withdraw
from creator_pipeline.store.tables import kdp_royalties, kdp_uploads, sales_events
from creator_pipeline_tests.support import kdp_landing, paths
from creator_pipeline_tests.support.kdp_samples import COMBINED, ESTIMATOR, FINAL, REEXPORT, as_csv, table

FIELD = paths.FIXTURES / "kdp_field"
RIGHT = {
    "A1_KDP_Orders-day1.xlsx A2_KDP_Orders-day2.xlsx A3_KDP_Orders-day3.xlsx": {
        "2025-08 EUR": ("60.10", 30),
        "2025-09 EUR": ("40.20", 20),
        "2025-10 EUR": ("98.49", 49),
    },
    "B1_estimator.xlsx B2_estimator.xlsx": {"2026-10 USD": ("30.60", 9)},
    "O1_KDP_Prior_Month_Royalties-2026-10-01-us.xlsx O2_KDP_Prior_Month_Royalties-2026-10-01-uk.xlsx": {
        "2026-10 GBP": ("30.12", 12),
        "2026-10 USD": ("34.90", 10),
    },
    "AM1_KDP_Orders-lifetime-2026-10-05.xlsx AM2_KDP_Dashboard-this-month-2026-10-28.xlsx": {
        "2026-09 USD": ("68.00", 20),
        "2026-10 USD": ("183.60", 54),
    },
    "T2_print.csv T4_KDP_Hardcover_Royalty.csv": {"2026-10 EUR": ("36.10", 7)},
    "T7_ebook.csv T8_audiobook.csv": {"2026-10 USD": ("96.35", 22)},
}


@pytest.fixture
def warehouse(warehouse):
    kdp_landing.add_profiles(warehouse)
    return warehouse


@pytest.fixture
def in_this_process(monkeypatch):
    """Each content is read once, in this process: a process for each reading is not what is looked at here."""
    read = functools.cache(parse)
    monkeypatch.setattr(ingest, "parse_in_child", lambda path, file_name, **_taught: read(path.read_bytes(), file_name))


def months(warehouse) -> dict[str, tuple[str, int]]:
    """Royalty and net units of the ledger by month and currency."""
    events = sales_events.c
    sums: dict[str, tuple[int, int]] = {}
    with warehouse.read() as connection:
        rows = connection.execute(select(events.occurred_on, events.currency, events.net_micros, events.quantity))
        for day, currency, micros, units in rows:
            before = sums.get(f"{day:%Y-%m} {currency}", (0, 0))
            sums[f"{day:%Y-%m} {currency}"] = (before[0] + micros, before[1] + units)
    return {
        key: (f"{Decimal(micros) / 1_000_000:.2f}", units) for key, (micros, units) in sorted(sums.items()) if micros
    }


def emptied(warehouse) -> None:
    with warehouse.write() as connection:
        for each in (sales_events, kdp_royalties, kdp_uploads):
            connection.execute(delete(each))


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("names", RIGHT, ids=lambda names: names.split("_")[0])
def test_reports_of_one_account_end_right_in_every_order_and_after_a_withdrawal(warehouse, names: str) -> None:
    """Incidents: a rolling window held back; a refund held back; a shop, a hardcover, an audiobook and a month lost."""
    files = [FIELD / name for name in names.split()]
    for order in itertools.permutations(enumerate(files)):
        emptied(warehouse)
        for at, path in order:
            done = kdp_landing.land(warehouse, path, at=kdp_landing.MADE_AT + at)
            assert done.error is None
        assert months(warehouse) == RIGHT[names], order
        assert counted_twice(warehouse, "alice") == []
    last = kdp_landing.everything(warehouse)
    for at, path in enumerate(files):
        taken = withdraw(warehouse, digest(str(path))[:16])
        assert (taken.file_name, taken.profile_id) == (path.name, "alice")
        assert counted_twice(warehouse, "alice") == []
        kdp_landing.land(warehouse, path, at=kdp_landing.MADE_AT + at)
        assert kdp_landing.everything(warehouse) == last


@pytest.mark.usefixtures("in_this_process")
def test_after_a_withdrawal_the_ledger_is_as_if_the_upload_had_never_come(warehouse) -> None:
    """Guards: a report of the wrong account that leaves something behind, or takes something with it."""
    files = [ESTIMATOR, REEXPORT, FINAL, COMBINED]
    for at, path in enumerate(files):
        emptied(warehouse)
        rest = [each for each in files if each is not path]
        for each in rest:
            kdp_landing.land(warehouse, each, at=kdp_landing.MADE_AT + files.index(each))
        without = kdp_landing.ledger(warehouse), kdp_landing.statuses(warehouse)
        done = kdp_landing.land(warehouse, path, at=kdp_landing.MADE_AT + at)
        withdraw(warehouse, done.file.partition)
        statuses = kdp_landing.statuses(warehouse)
        assert statuses.pop(path.name) == "withdrawn"
        assert (kdp_landing.ledger(warehouse), statuses) == without
        with warehouse.read() as connection:
            mine = kdp_royalties.c.upload_id == done.file.upload_id
            assert connection.execute(select(func.count()).select_from(kdp_royalties).where(mine)).scalar() == 0


def of_shops(rows: Sequence[Sequence[str]], *shops: str) -> bytes:
    return as_csv([rows[0], *(row for row in rows[1:] if row[rows[0].index("Marketplace")] in shops)])


@pytest.mark.usefixtures("in_this_process")
def test_a_file_of_one_shop_leaves_the_others(warehouse, tmp_path) -> None:
    """Incident: a filter for Amazon.com in KDP's page took every other shop out of the ledger."""
    rows = table()
    everything, one = tmp_path / "all.csv", tmp_path / "us.csv"
    everything.write_bytes(as_csv(rows))
    one.write_bytes(of_shops(rows, "Amazon.com"))
    kdp_landing.land(warehouse, everything, at=kdp_landing.MADE_AT)
    before = months(warehouse)
    done = kdp_landing.land(warehouse, one, at=kdp_landing.MADE_AT + 1)
    assert (done.status, months(warehouse)) == ("accepted", before)
    assert counted_twice(warehouse, "alice") == []
    assert kdp_landing.statuses(warehouse) == {"all.csv": "accepted", "us.csv": "accepted"}


@pytest.mark.usefixtures("in_this_process")
def test_another_accounts_file_waits_and_counts_beside_when_a_person_says_so(warehouse, tmp_path) -> None:
    """Incident: two accounts of one publisher, of which each month only the later one counted."""
    rows = table()
    title, author, product = (rows[0].index(name) for name in ("Title", "Author Name", "ASIN/ISBN"))
    other = [rows[0], *([*row] for row in rows[1:] if row[product].startswith("B0"))]
    for row in other[1:]:
        row[title], row[author], row[product] = "Another", "Bo Other", row[product][:-2] + "ZZ"
    first, second = tmp_path / "ada.csv", tmp_path / "bo.csv"
    first.write_bytes(as_csv(rows))
    second.write_bytes(as_csv(other))
    kdp_landing.land(warehouse, first, at=kdp_landing.MADE_AT)
    alone = months(warehouse)
    held = kdp_landing.land(warehouse, second, at=kdp_landing.MADE_AT + 1)
    assert (held.status, months(warehouse)) == ("quarantined", alone)
    assert "another account" in held.error.message
    assert "--partial" in held.error.hint
    both = kdp_landing.land(warehouse, second, at=kdp_landing.MADE_AT + 1, partial=True)
    assert both.status == "accepted"
    expected = sum(from_decimal(row[rows[0].index("Royalty")]) for row in (*rows[1:], *other[1:]))
    with warehouse.read() as connection:
        assert int(connection.execute(select(func.sum(sales_events.c.net_micros))).scalar_one()) == expected
    assert counted_twice(warehouse, "alice") == []


@pytest.mark.usefixtures("in_this_process")
def test_uploads_of_an_earlier_release_are_compared_by_their_stored_rows(warehouse) -> None:
    """Guards: reports that were stored before books were kept, replaced by any file that comes."""
    us, uk = (FIELD / f"O{n}_KDP_Prior_Month_Royalties-2026-10-01-{shop}.xlsx" for n, shop in ((1, "us"), (2, "uk")))
    done = kdp_landing.land(warehouse, us)
    with warehouse.write() as connection:
        old = '{"sales/digital:2026-10":[1,10,0],"sales/print:2026-10":[0,0,0],"kenp:2026-10":[0,0,0]}'
        connection.execute(update(kdp_uploads).values(slices=old, authors=None))
    held = kdp_landing.land(warehouse, uk)
    # Without an author in common nothing shows that they are of one account.
    assert (held.status, months(warehouse)) == ("quarantined", {"2026-10 USD": ("34.90", 10)})
    assert kdp_landing.upload(warehouse, done.file.upload_id)["status"] == "accepted"
    again = kdp_landing.land(warehouse, us)
    assert (again.status, months(warehouse)) == ("accepted", RIGHT[f"{us.name} {uk.name}"])


@pytest.mark.usefixtures("in_this_process")
def test_a_currency_that_there_is_not_refuses_its_row_and_no_other(warehouse, tmp_path) -> None:
    """Incident: 12.00 of the currency ZZZ in the ledger."""
    rows = table()
    place = rows[0].index("Currency")
    rows[1][place] = "ZZZ"
    path = tmp_path / "zzz.csv"
    path.write_bytes(as_csv(rows))
    done = kdp_landing.land(warehouse, path)
    assert (done.status, done.error) == ("accepted", None)
    (problem,) = [each for each in done.problems if each.found == "ZZZ"]
    assert (problem.level, problem.row, problem.column) == ("note", 2, "Currency")
    assert len(done.report.rows) == len(rows) - 2
    assert "ZZZ" not in kdp_landing.royalties(warehouse)
