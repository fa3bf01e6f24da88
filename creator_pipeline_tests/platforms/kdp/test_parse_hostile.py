"""Files that mean harm, and files that are merely broken, cost bounded time and memory."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path

import pytest

from creator_pipeline.core.errors import DataError
from creator_pipeline.platforms.kdp.child_process import parse_in_child
from creator_pipeline.platforms.kdp.parse import MAX_BYTES, parse
from creator_pipeline_tests.fuzz.kdp import run
from creator_pipeline_tests.support.kdp_samples import COMBINED, ESTIMATOR, FIXTURES, as_csv, table, workbook


def test_mutated_reports_give_nothing_but_data_errors() -> None:
    """Incident: one bad byte, and the run failed with a trace nobody could act on."""
    tried, read = run(seed=1, files=60)
    assert tried == 60
    assert read > 0


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    """Incident: 0.7 MB that cost 1.7 GB."""
    start = time.process_time()
    with pytest.raises(DataError, match="unpacks to far more"):
        parse(FIXTURES / "xlsx_zip_bomb.xlsx")
    assert time.process_time() - start < 3


def test_a_bomb_whose_directory_lies_ends_at_the_limits(tmp_path: Path) -> None:
    """Incident: the guard believed sizes that the bomb's author wrote."""
    data = bytearray((FIXTURES / "xlsx_zip_bomb.xlsx").read_bytes())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        real = max(part.file_size for part in archive.infolist())
    data = bytearray(bytes(data).replace(real.to_bytes(4, "little"), (1_000_000).to_bytes(4, "little")))
    path = tmp_path / "liar.xlsx"
    path.write_bytes(data)
    start = time.monotonic()
    with pytest.raises(DataError):
        parse_in_child(path, memory_mb=400, seconds=5)
    assert time.monotonic() - start < 60


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (workbook({"Combined Sales": table()}, extra={"../../etc/x.xml": b"<a/>"}), "leads out"),
        (
            workbook({"Combined Sales": table()}, extra={"xl/evil.xml": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}),
            "entities",
        ),
        (workbook({"Combined Sales": table()}, extra={f"x{n}": b"" for n in range(1001)}), "too many parts"),
        (b"PK\x03\x04" + b"\0" * 100, "cut off"),
        (as_csv(table()).replace(b"Odile", b"Od\0ile"), "NUL"),
        (as_csv([*table(), [*table()[1][:1], "x" * 140_000, *table()[1][2:]]]), "longer than 131072"),
        (b"x" * (3 << 20), "million characters"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "password"),
        (b"<html><table><tr><td>Royalty</td></tr></table></html>", "web page"),
        (b"%PDF-1.7", "PDF"),
        (ESTIMATOR.read_bytes()[:5000], "cut off"),
    ],
)
def test_what_is_no_report_is_named(data: bytes, message: str) -> None:
    """Incident: 'could not parse file'."""
    with pytest.raises(DataError, match=message):
        parse(data, "upload.csv")


def test_a_file_larger_than_any_report_is_not_opened(tmp_path: Path) -> None:
    """Incident: a line of two gigabytes filled the memory."""
    path = tmp_path / "huge.csv"
    with path.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(DataError, match="too large"):
        parse(path)


def test_the_guarded_process_gives_the_same_report_and_the_same_error() -> None:
    """Incident: rows lost between two processes."""
    assert parse_in_child(COMBINED) == parse(COMBINED)
    with pytest.raises(DataError, match="appears twice") as caught:
        parse_in_child(FIXTURES / "csv_duplicate_column_name.csv", file_name="mine.csv")
    assert (caught.value.file, caught.value.row, caught.value.column) == ("mine.csv", 1, "Royalty")


def test_formulas_in_titles_stay_text_as_received() -> None:
    """Incident: an escaped title that no longer matched the next export."""
    titles = [row.dimensions.title for row in parse(FIXTURES / "csv_formula_injection_titles.csv").rows]
    assert "+1+1" in titles
    assert "@SUM(1)" in titles
