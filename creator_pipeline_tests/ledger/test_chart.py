"""The picture of the last days."""

import base64
from datetime import date, timedelta

import pytest
from matplotlib.image import imread

from creator_pipeline.ledger.chart import as_markdown, draw
from creator_pipeline.platforms import sources

LAST = date(2026, 11, 22)
MIXED = [
    (LAST - timedelta(days=day), platform, "USD", (5 - day) * 1_000_000)
    for day in range(9)
    for platform in ("gumroad", "whop", "amazon_kdp")
]


@pytest.mark.parametrize(
    "rows",
    [[], MIXED, [(LAST, "amazon_kdp", f"C{number}", 10**6) for number in range(7)]],
    ids=["empty", "with refunds", "currencies"],
)
def test_the_picture_is_a_png_whatever_there_is_to_show(rows, tmp_path):
    """Guards: an empty account that fails the roll-up, and a page of panels."""
    png = draw(rows, LAST, sources())
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "x.png").write_bytes(png)
    height, width, _ = imread(tmp_path / "x.png").shape
    assert width == 990
    assert height < 800


def test_what_is_shown_changes_the_picture_and_older_days_do_not():
    """Guards: a picture that is always the same."""
    assert draw(MIXED, LAST, sources()) != draw([], LAST, sources())
    old = [(LAST - timedelta(days=200), "gumroad", "USD", 10**9)]
    assert draw(MIXED + old, LAST, sources()) == draw(MIXED, LAST, sources())


def test_the_markdown_holds_the_picture_and_says_what_it_shows():
    """Guards: an image that a screen reader can't tell."""
    text = as_markdown(b"\x89PNG", "Net revenue")
    assert text == f"![Net revenue](data:image/png;base64,{base64.b64encode(bytes([0x89]) + b'PNG').decode()})"
