"""A picture of net revenue per day by platform."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING

from creator_pipeline.core.money import MICROS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = {"gumroad": "#ff90e8", "whop": "#fa4616", "amazon_kdp": "#146eb4"}
NAMES = {"gumroad": "Gumroad", "whop": "Whop", "amazon_kdp": "Amazon KDP"}
MOST_CURRENCIES = 4

Rows = Iterable[tuple[date, str, str, int]]


def draw(rows: Rows, last: date, days: int = 90) -> bytes:
    """PNG of the ``days`` days up to ``last``: a panel for each of the busiest currencies, bars stacked by platform.

    Args:
        rows: (day, platform, currency, net micros).
    """
    # The object interface: pyplot keeps global state, and runs may draw at once.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    data = list(rows)
    currencies = [name for name, _ in Counter(currency for _, _, currency, _ in data).most_common(MOST_CURRENCIES)]
    panels = currencies or ["USD"]
    figure = Figure(figsize=(9, 2.2 + 1.6 * (len(panels) - 1)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes_of = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    first = last - timedelta(days=days - 1)
    for currency, axes in zip(panels, axes_of, strict=True):
        _panel(axes, [row for row in data if row[2] == currency and first <= row[0] <= last], currency)
        axes.set_xlim(first - timedelta(days=1), last + timedelta(days=1))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _panel(axes: Axes, rows: list[tuple[date, str, str, int]], currency: str) -> None:
    import numpy as np

    bottom: dict[tuple[date, bool], float] = {}
    for platform, color in COLORS.items():
        bars = [(day, net / MICROS) for day, name, _, net in sorted(rows) if name == platform]
        if not bars:
            continue
        # What went back hangs below the line; it must not eat a piece of another platform's bar.
        base = [bottom.get((day, net < 0), 0.0) for day, net in bars]
        axes.bar(
            np.array([day for day, _ in bars], dtype="datetime64[D]"),
            [net for _, net in bars],
            bottom=base,
            color=color,
            label=NAMES[platform],
            width=0.8,
        )
        for (day, net), start in zip(bars, base, strict=True):
            bottom[day, net < 0] = start + net
    axes.set_ylabel(currency)
    axes.axhline(0, color="#888", linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if rows:
        axes.legend(frameon=False, fontsize=8, loc="upper left", ncols=3)
    else:
        axes.text(0.5, 0.5, "no sales in these days", transform=axes.transAxes, ha="center", color="#888")


def as_markdown(png: bytes, text: str) -> str:
    """An image for markdown, with a text that says what it shows."""
    return f"![{text}](data:image/png;base64,{base64.b64encode(png).decode()})"
