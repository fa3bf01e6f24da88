"""``creator-pipeline sandbox``."""

from __future__ import annotations

import click


@click.command("sandbox")
@click.option("--port", default=8099, show_default=True, type=click.IntRange(0, 65535))
@click.option("--seed", default=7, show_default=True, help="Another seed is another world.")
@click.option("--days", default=120, show_default=True, type=click.IntRange(1), help="How far the sales reach back.")
def command(port: int, seed: int, days: int) -> None:
    """Local stand-ins of the platforms, with an invented world and its own totals. For demos and tests."""
    from creator_pipeline.sandbox.__main__ import main

    main(["--port", str(port), "--seed", str(seed), "--days", str(days)])
