"""How much of a strict limit is used by several processes that share it: ``python benchmarks/pace.py``.

Several processes ask a sandbox that refuses what is above the limit of a token, each through the project's client
with the pace that Redis shares (``queue.pace``). Printed for each profile: the share of its limit that was used, the
requests that were refused (429), and the share each process got. One profile is asked by all processes (a big initial
load), the other by one (a webhook): its own budget must be untouched, so its longest wait is printed too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import orjson

from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.queue.pace import RedisPace
from creator_pipeline.queue.redis_client import RedisLink

SECONDS = 20
LIMIT = 20.0
"""Requests a second of one token: ten times the 120 a minute of production, so that a run is short."""
WINDOW_SECONDS = 10.0
"""Within which the sandbox counts. What makes a request late isn't scaled with it: n + 1 requests miss the window of n
by 3 % of it, 1.9 s of a minute, 0.3 s of these ten seconds, but 31 ms of one second."""


def ask(url: str, token: str, redis_url: str, limit: float, seconds: float, pause: float) -> None:
    """One process: ask for pages from the moment it is told, so long; prints how many and the longest wait."""
    day = today()
    window = DayWindow(day, day.fromordinal(day.toordinal() + 1))
    asked, longest = 0, 0.0
    print("ready", flush=True)
    start = float(input())
    pace = RedisPace(RedisLink(redis_url), f"bench:{token}:{start}", limit * 60)
    with GumroadClient(url, token, pace) as client:
        time.sleep(max(0.0, start - time.time()))
        while time.time() < start + seconds:
            began = time.monotonic()
            client.sales_page(window)
            longest = max(longest, time.monotonic() - began)
            asked += 1
            time.sleep(pause)
        print(orjson.dumps([asked, longest, client.usage.throttled]).decode())


def main() -> None:
    """Start the processes, add up, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--processes", type=int, default=4)
    options.add_argument("--limit", type=float, default=LIMIT, help="requests a second; 2 is production's")
    options.add_argument("--window", type=float, default=WINDOW_SECONDS, help="seconds the sandbox counts over")
    options.add_argument("--seconds", type=float, default=SECONDS)
    options.add_argument("--ask", nargs=6, help=argparse.SUPPRESS)
    wish = options.parse_args()
    if wish.ask:
        url, token, redis_url, *numbers = wish.ask
        ask(url, token, redis_url, *map(float, numbers))
        return
    from creator_pipeline_tests.support import servers
    from creator_pipeline_tests.support.sandbox import SandboxServer, World

    with SandboxServer(World.invented(5, today=today(), sizes={"alice": 30, "bea": 30}, days=30)) as server:
        server.faults.limit(round(wish.limit * wish.window), wish.window)
        tokens = {name: server.world.gumroad[name].token for name in ("alice", "bea")}
        redis_url = servers.shared_redis().url

        def started(name: str, pause: float) -> subprocess.Popen[bytes]:
            numbers = map(str, (wish.limit, wish.seconds, pause))
            command = [sys.executable, __file__, "--ask", server.gumroad_url, tokens[name], redis_url, *numbers]
            return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        running = [started("alice", 0.0) for _ in range(wish.processes)]
        webhook = started("bea", 0.5)
        for process in (*running, webhook):
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
        # On a busy machine a process takes seconds to begin, and none of them may be counted.
        start = f"{time.time() + 0.5}\n".encode()
        for process in (*running, webhook):
            assert process.stdin
            process.stdin.write(start)
            process.stdin.flush()
        answers = [orjson.loads(process.communicate()[0]) for process in running]
        alone = orjson.loads(webhook.communicate()[0])
        throttled = server.faults.throttled
    asked = [count for count, _, _ in answers]
    limit = f"{wish.limit * wish.window:g} requests in {wish.window:g} s"
    print(f"{wish.processes} processes, {limit} for each token, {wish.seconds:g} s, load {os.getloadavg()[0]:.1f}")
    print(f"used of the limit: {sum(asked) / (wish.limit * wish.seconds):.1%}   refused: {throttled}")
    print(f"each process: {', '.join(f'{count / sum(asked):.1%}' for count in asked)}")
    print(f"another profile meanwhile: {alone[0]} requests, {alone[2]} refused, longest {alone[1] * 1000:.0f} ms")


if __name__ == "__main__":
    main()
