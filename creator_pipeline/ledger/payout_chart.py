"""A picture of payouts by week: what is explained, and what isn't."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from creator_pipeline.core.money import MICROS
from creator_pipeline.ledger.chart import MOST_CURRENCIES, WIDE, Shape


class Week(NamedTuple):
    """Payouts of a week that begins with ``monday``, in micros of ``currency``."""

    monday: date
    currency: str
    explained_micros: int
    unexplained_micros: int


def draw_payouts(weeks: Sequence[Week], last: date, count: int, shape: Shape = WIDE) -> bytes:
    """PNG with a panel for each of the busiest currencies.

    Args:
        weeks: any of them, in any order.
        last: the last day.
        count: how many weeks.
        shape: size of the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [name for name, _ in Counter(week.currency for week in weeks).most_common(MOST_CURRENCIES)] or ["USD"]
    height = shape.first + shape.further * (len(panels) - 1)
    figure = Figure(figsize=(shape.width, height), dpi=shape.dpi, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes_of = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for currency, axes in zip(panels, axes_of, strict=True):
        shown = [week for week in weeks if week.currency == currency]
        days = [week.monday for week in shown]
        explained = [week.explained_micros / MICROS for week in shown]
        axes.bar(days, explained, width=5, color="#2a9d8f", label="explained")
        axes.bar(
            days,
            [week.unexplained_micros / MICROS for week in shown],
            width=5,
            bottom=explained,
            color="#d62828",
            label="unexplained",
        )
        axes.set_xlim(last - timedelta(weeks=count), last + timedelta(days=4))
        axes.set_ylabel(currency, fontsize=shape.points)
        axes.tick_params(labelsize=shape.points)
        axes.locator_params(axis="y", nbins=3)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        if not shown:
            axes.text(0.5, 0.5, "no payouts in these weeks", transform=axes.transAxes, ha="center", color="#666")
    handles, labels = axes_of[0].get_legend_handles_labels()
    if weeks:
        figure.legend(handles, labels, loc="outside upper left", ncols=2, frameon=False, fontsize=shape.points)
    buffer = io.BytesIO()
    canvas.print_png(buffer)
    return buffer.getvalue()
