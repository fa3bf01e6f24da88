"""A picture of net revenue per day by platform, and the words that say the same."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from creator_pipeline.core.money import MICROS, for_people
from creator_pipeline.store.source import Source, label_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CURRENCIES = 4
BAR_DAYS = 0.8
"""Width of a bar."""

Rows = Iterable[tuple[date, str, str, int]]


class Shape(NamedTuple):
    """Inches of the whole width, of the first panel with what is around it, and of each further one."""

    width: float
    first: float
    further: float
    dpi: int
    points: float


WIDE = Shape(9, 2.2, 1.6, 110, 10)
PAGE = Shape(6.4, 1.9, 0.7, 200, 8)
SMALL = Shape(3.4, 1.15, 0.4, 200, 7)
"""For a phone's width, and for a mail."""


def sums(rows: Rows) -> dict[tuple[str, str], int]:
    """Net micros by (platform, currency), in order; currencies are never added to each other."""
    totals: dict[tuple[str, str], int] = {}
    for _, platform, currency, net in rows:
        totals[platform, currency] = totals.get((platform, currency), 0) + net
    return dict(sorted(totals.items()))


def words(totals: dict[tuple[str, str], int], sources: Sequence[Source]) -> str:
    """What a picture shows: a label, an amount and a currency for each platform and currency, separated by commas."""
    said = (
        f"{label_of(sources, platform)} {for_people(net, currency)}" for (platform, currency), net in totals.items()
    )
    return ", ".join(said) or "none"


def draw(rows: Rows, last: date, sources: Sequence[Source], days: int = 90, shape: Shape = WIDE) -> bytes:
    """PNG of the ``days`` days up to ``last``: a panel for each of the busiest currencies, bars stacked by platform.

    Args:
        rows: (day, platform, currency, net micros).
        last: the last day.
        sources: the platforms, in the order of their bars.
        days: how many.
        shape: size of the picture.
    """
    # The object interface: pyplot keeps global state, and runs may draw at once.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    data = list(rows)
    currencies = [name for name, _ in Counter(currency for _, _, currency, _ in data).most_common(MOST_CURRENCIES)]
    panels = currencies or ["USD"]
    height = shape.first + shape.further * (len(panels) - 1)
    figure = Figure(figsize=(shape.width, height), dpi=shape.dpi, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes_of = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    first = last - timedelta(days=days - 1)
    axes_of[0].xaxis_date()
    for currency, axes in zip(panels, axes_of, strict=True):
        shown = [row for row in data if row[2] == currency and first <= row[0] <= last]
        _panel(axes, shown, currency, shape.points, sources)
        axes.set_xlim(first - timedelta(days=1), last + timedelta(days=1))
    _dates(axes_of[-1], shape)
    figure.align_ylabels(axes_of)
    if legend := {
        label: bars for axes in axes_of for bars, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }:
        named = {name: legend[name] for source in sources if (name := source.label) in legend}
        figure.legend(
            named.values(), named.keys(), loc="outside upper left", ncols=3, frameon=False, fontsize=shape.points
        )
    buffer = io.BytesIO()
    # Not savefig: that draws everything once more before.
    canvas.print_png(buffer)
    return buffer.getvalue()


def _dates(axes: Axes, shape: Shape) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, num2date

    # A locator counts ticks for a picture of usual width; in a narrow one they would run into each other.
    locator = AutoDateLocator(maxticks=max(4, int(shape.width * 1.2)))
    begin, end = num2date(axes.get_xlim())
    ticks = locator.tick_values(begin, end)
    words = ConciseDateFormatter(locator, show_offset=False).format_ticks(list(ticks))
    # Once: the locator is asked again for each panel, and for each pass.
    axes.set_xticks(ticks, words)


def _panel(
    axes: Axes, rows: list[tuple[date, str, str, int]], currency: str, points: float, sources: Sequence[Source]
) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.dates import date2num

    bottom: dict[tuple[date, bool], float] = {}
    for source in sources:
        bars = list[list[tuple[float, float]]]()
        for day, name, _, net in sorted(rows):
            if name != source.provider:
                continue
            # What went back hangs below the line; it must not eat a piece of another platform's bar.
            start, middle = bottom.get((day, net < 0), 0.0), float(date2num(day))
            end = bottom[day, net < 0] = start + net / MICROS
            left, right = middle - BAR_DAYS / 2, middle + BAR_DAYS / 2
            bars.append([(left, start), (left, end), (right, end), (right, start)])
        if bars:
            # One shape for all bars: one for each, as axes.bar makes them, takes six times as long.
            shape = PolyCollection(bars, facecolors=source.colour, label=source.label)
            shape.sticky_edges.y.append(0.0)
            axes.add_collection(shape)
    axes.autoscale_view()
    axes.set_ylabel(currency, fontsize=points)
    axes.tick_params(labelsize=points)
    axes.locator_params(axis="y", nbins=3)
    axes.axhline(0, color="#888", linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if not rows:
        axes.text(0.5, 0.5, "no sales in these days", transform=axes.transAxes, ha="center", color="#666")


def as_markdown(png: bytes, text: str) -> str:
    """An image for markdown, with a text that says what it shows."""
    return f"![{text}](data:image/png;base64,{base64.b64encode(png).decode()})"
