"""What a creator's page and an operator are told of a report that doesn't count."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from creator_pipeline import settings
from creator_pipeline.core.errors import DataError
from creator_pipeline.mail.wording import plain_error
from creator_pipeline.platforms.kdp.command import command
from creator_pipeline.platforms.kdp.page import first_problem, uploaded_reports
from creator_pipeline.platforms.kdp.parse import parse
from creator_pipeline.store.tables import kdp_uploads
from creator_pipeline_tests.support import kdp_landing
from creator_pipeline_tests.support.kdp_samples import COMBINED, as_csv, table


@pytest.fixture
def warehouse(sqlite_warehouse):
    kdp_landing.add_profiles(sqlite_warehouse)
    return sqlite_warehouse


def test_of_a_report_that_is_held_back_a_seller_reads_a_step_and_an_operator_the_command(warehouse, tmp_path) -> None:
    """Incident: a seller was told a shell line, and the page cut off what to do with a wrong file."""
    part = tmp_path / "part (1).csv"
    part.write_bytes(as_csv(table()[:6]))
    kdp_landing.land(warehouse, COMBINED)
    done = kdp_landing.land(warehouse, part, at=kdp_landing.MADE_AT + 9)
    assert done.error is not None
    config = settings.load()
    with warehouse.read() as connection:
        [held] = [each for each in uploaded_reports(connection, config, "alice") if each.choices]
        stored = connection.execute(select(kdp_uploads.c.error).where(kdp_uploads.c.status == "quarantined")).scalar()
    for told in (" ".join(held.problems), plain_error(f"{done.error}\n(file: x)", config)):
        assert "export the same range in KDP for all shops" in told
        assert "it doesn't count" in told
        assert "creator-pipeline" not in told
        assert "--partial" not in told
    assert "creator-pipeline kdp ingest" in plain_error(str(done.error), config, for_owner=False)
    assert "creator-pipeline" not in first_problem(config, stored)


def test_the_same_problem_in_many_rows_is_one_line_with_its_count(tmp_path, warehouse) -> None:
    """Incident: a hundred equal lines, and the other problem below them."""
    header, *body = table()
    for row in body[:7]:
        row[header.index("Royalty")] = "what"
    path = tmp_path / "report.csv"
    path.write_bytes(as_csv([header, *body]))
    result = CliRunner().invoke(command, ["inspect", str(path)])
    assert result.output.count("'what'") == 1, result.output
    assert "row 2, 3, 4 and 4 more" in result.output


@pytest.mark.parametrize("content", [b"Nombre,Precio\r\nA,1\r\n", as_csv([table()[0][:9], *table()[1:3]])])
def test_a_header_that_is_not_known_is_answered_with_kdp_in_english(content: bytes) -> None:
    """Incident: "download it again" of a file that KDP itself had written, in another language."""
    with pytest.raises(DataError, match="KDP to English") as refused:
        parse(content, "report.csv")
    assert "ownload" not in str(refused.value)
