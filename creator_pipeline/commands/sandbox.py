"""``creator-pipeline sandbox``."""

from __future__ import annotations

import signal
import sys

import click


@click.command("sandbox")
@click.option("--port", default=8099, show_default=True, type=click.IntRange(0, 65535))
@click.option("--seed", default=7, show_default=True, help="Another seed is another world.")
@click.option("--days", default=120, show_default=True, type=click.IntRange(1), help="How far the sales reach back.")
@click.option("--odd", is_flag=True, help="With fields and words that no platform documents: checks of them are red.")
def command(port: int, seed: int, days: int, *, odd: bool) -> None:
    """Local stand-ins of the platforms, with an invented world and its own totals. For demos and tests."""
    import uvicorn

    from creator_pipeline.commands.processes import check_port
    from creator_pipeline.core.windows import today
    from creator_pipeline.platforms import PLATFORMS
    from creator_pipeline.sandbox.server import build_app, uvicorn_config
    from creator_pipeline.sandbox.world import World

    check_port("127.0.0.1", port)
    stand_ins = [platform.stand_in.get() for platform in PLATFORMS if platform.stand_in]
    world = World.of(stand_ins, seed, today=today(), days=days, odd=odd)
    faults = world.faults()
    services = world.services(faults)
    server = uvicorn.Server(uvicorn_config(build_app(world, faults, services), port=port))
    told = {key: value for service in services.values() for key, value in service.world().items()}
    tokens = " ".join(
        f"{stand_in.name}/{account.profile_id}={account.token}"
        for stand_in in stand_ins
        if stand_in.accounts
        for account in stand_in.accounts(told)
    )
    click.echo(f"sandbox on http://127.0.0.1:{port} {tokens}")
    # uvicorn raises the signal that stopped it once more when it is done: that is then a clean end.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    for service in services.values():
        service.start_webhooks(1.0)
    try:
        server.run()
    finally:
        for service in services.values():
            service.close()
