"""How amounts are shown in the UI."""

from __future__ import annotations

from creator_pipeline.runtime.describe import plotted


def test_amounts_are_plotted_beside_their_exact_text() -> None:
    """Incident: the plots of an asset were empty: its money was text, and the UI draws numbers only."""
    assert plotted({"net_USD": "12.34", "gross_JPY": "-5"}) == {"plot_net_USD": 12.34, "plot_gross_JPY": -5.0}
