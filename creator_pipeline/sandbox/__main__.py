"""``python -m creator_pipeline.sandbox --port N``: the sandbox for people, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import signal
import sys

import uvicorn

from creator_pipeline.core.windows import today
from creator_pipeline.platforms.gumroad.sandbox.pings import PingSender
from creator_pipeline.platforms.whop.sandbox.webhooks import WebhookSender
from creator_pipeline.sandbox.data import World
from creator_pipeline.sandbox.faults import Faults
from creator_pipeline.sandbox.server import build_app, uvicorn_config


def main(arguments: list[str] | None = None) -> int:
    """Serves the world of today; prints one line with the URL and the tokens."""
    parser = argparse.ArgumentParser(prog="creator_pipeline.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--days", type=int, default=120)
    wish = parser.parse_args(arguments)
    world = World.invented(wish.seed, today=today(), days=wish.days)
    server = uvicorn.Server(uvicorn_config(build_app(world, Faults()), wish.host, wish.port))
    tokens = " ".join(f"{seller.profile}={seller.token}" for seller in world.gumroad.values())
    sys.stdout.write(f"sandbox on http://{wish.host}:{wish.port} {tokens}\n")
    sys.stdout.flush()
    pings, webhooks = PingSender(world.gumroad), WebhookSender(world.whop)
    # uvicorn raises the signal that stopped it once more when it is done: that is then a clean end.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        server.run()
    finally:
        pings.close()
        webhooks.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
