"""The file that ties products to works."""

from __future__ import annotations

import pytest

from creator_pipeline.core.errors import DataError
from creator_pipeline.ledger.works import Work, read_works, work_of

TIDE = Work("The Tide", "Harbour", "A. Writer")
FILE = "\ufeffproduct,work,series,author\nB0A,The Tide,Harbour,A. Writer\n978-3-16-148410-0,The Tide,Harbour,A. Writer\n,,,\n"


def test_an_isbn_is_the_same_however_it_is_written() -> None:
    """Incident: a paperback without a work, because the file had hyphens and the report had none."""
    works = read_works(FILE, "works.csv")
    assert works == {"B0A": TIDE, "9783161484100": TIDE}
    assert work_of("9783161484100", (), works) == work_of("B0PAPER", ["978 3 16 148410 0"], works) == TIDE
    assert work_of("prod_a-1", (), works) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("product;work\nB0A;x\n", "no column product, work"),
        ("product,work\nB0A,\n", "no product or no work"),
        ("product,work\nB0A,x\nB0A,y\n", "two works"),
    ],
)
def test_a_file_that_is_none_is_refused_by_name(text: str, said: str) -> None:
    """Incident: a file saved with semicolons, and a year of unmapped money."""
    with pytest.raises(DataError, match=said):
        read_works(text, "works.csv")
