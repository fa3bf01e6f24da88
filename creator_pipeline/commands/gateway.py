"""``creator-pipeline gateway``."""

from __future__ import annotations

import click

from creator_pipeline import settings
from creator_pipeline.commands.processes import check_port


@click.command("gateway")
@click.option("--port", default=8088, show_default=True, type=click.IntRange(0, 65535))
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 behind a proxy on another host.")
def command(port: int, host: str) -> None:
    """Serve webhooks, uploads, and the pages of links. Ends in good order on SIGTERM."""
    from creator_pipeline.core import logging
    from creator_pipeline.gateway.app import create_app
    from creator_pipeline.gateway.server import serve

    check_port(host, port)
    logging.set_up()
    serve(create_app(settings.load()), host, port)
