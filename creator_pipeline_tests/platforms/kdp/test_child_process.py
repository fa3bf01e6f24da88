"""How the process that reads a file may end, and what that says of the file."""

from __future__ import annotations

import signal

import pytest

from creator_pipeline.core.errors import TransientError
from creator_pipeline.platforms.kdp.child_process import _End, _failure, one_reader, parse_in_child
from creator_pipeline.platforms.kdp.inspect import inspect
from creator_pipeline.platforms.kdp.parse import parse
from creator_pipeline.platforms.kdp.problems import ReportError
from creator_pipeline_tests.support.kdp_samples import COMBINED, ESTIMATOR, FINAL, FIXTURES, as_csv, table


@pytest.mark.parametrize(
    ("ended", "kind"),
    [
        (_End(-signal.SIGKILL, 3.0), TransientError),
        (_End(-signal.SIGTERM, 3.0), TransientError),
        (None, TransientError),
        (_End(-signal.SIGKILL, 61.0), ReportError),
        (_End(-signal.SIGXCPU, 60.0), ReportError),
        (_End(-signal.SIGABRT, 3.0), ReportError),
    ],
)
def test_only_processor_time_and_memory_are_held_against_a_file(ended, kind):
    """Guards: a report that is refused for good because the machine was busy, or was shut down."""
    assert type(_failure("a.csv", 1024, 60, ended, b"")) is kind


def test_one_process_reads_many_files_and_survives_what_harms_one():
    """Guards: an interpreter for each file, and a hostile file that takes the next one with it."""
    with one_reader() as reader:
        assert parse_in_child(COMBINED) == parse(COMBINED)
        first = reader._process
        with pytest.raises(ReportError):
            parse_in_child(FIXTURES / "xlsx_truncated.xlsx")
        assert parse_in_child(ESTIMATOR) == parse(ESTIMATOR)
        assert reader._process is first
        first.kill()
        first.wait()
        assert parse_in_child(COMBINED) == parse(COMBINED)


def test_rows_that_can_not_be_read_are_never_called_an_empty_report(tmp_path):
    """Guards: "valid and empty: nothing was sold" beside the row that could not be read."""
    rows = table()[:2]
    rows[1][rows[0].index("Units Sold")] = "many"
    path = tmp_path / "report.csv"
    path.write_bytes(as_csv(rows))
    (described,) = inspect([path])
    assert described["verdict"] == "quarantine"
    assert not [each for each in described["problems"] if "empty" in each["hint"]]


def test_the_money_of_pages_read_is_told():
    """Guards: a final report of which inspect tells the pages and not what they brought."""
    (described,) = inspect([FINAL])
    assert described["kenp_pages"] > 0
    assert any(amount != "0" for amount in described["kenp_royalty_by_currency"].values())
