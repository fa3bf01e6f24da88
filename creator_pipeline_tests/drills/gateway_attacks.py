"""Plays that hold a gateway up, with the time that its pings take: ``python -m creator_pipeline_tests.drills.gateway_attacks``.

A real gateway on PostgreSQL and Redis, each in a process of its own. While a play runs, a ping a connection is sent
again and again; its p50 and p99 are printed, and the gateway's memory. Exit 1 where a ping took longer than three
seconds, or wasn't taken.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import orjson
from sqlalchemy import text

from creator_pipeline.core.secrets import KeyRing, new_key
from creator_pipeline.gateway.connect_links import start_link
from creator_pipeline.platforms.gumroad.oauth import CALLBACK_PATH
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import open_warehouse
from creator_pipeline_tests.support import local_http, servers
from creator_pipeline_tests.support.dripping import dripping
from creator_pipeline_tests.support.gateway import PATH_SECRET, signed
from creator_pipeline_tests.support.pages import Page

SECONDS = 8.0
START_SECONDS = 3.0
"""For the process that sends the pings to begin."""
MOST_SECONDS = 3.0
HOOK = base64.b64encode(b"h" * 32).decode()
PART = b'--B\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n'
FORM = {"Content-Type": "multipart/form-data; boundary=B"}


@dataclass
class Door:
    """The gateway that is attacked.

    Attributes:
        said: seconds or statuses of what a play itself asks.
    """

    url: str
    process: subprocess.Popen[bytes]
    ring: KeyRing
    database: str
    redis: servers.RedisServer
    said: list[str] = field(default_factory=list[str])

    @property
    def port(self) -> int:
        return httpx.URL(self.url).port or 0

    def memory(self) -> int:
        """MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(status.partition("VmRSS:")[2].split()[0]) // 1024


@contextmanager
def door(folder: Path, token_address: str) -> Iterator[Door]:
    """Started, with the profile alice; ended with all it runs on."""
    database, port, key = servers.postgres().fresh_database(), servers.free_port(), new_key()
    with servers.RedisServer() as redis, (folder / "log").open("wb") as log:
        environment = os.environ | {
            "DATABASE_URL": database,
            "REDIS_URL": redis.url,
            "DAGSTER_HOME": str(folder),
            "APP_SECRET_KEYS": key,
            "GUMROAD_WEBHOOK_SECRET": PATH_SECRET,
            "SUPABASE_HOOK_SECRET": f"v1,whsec_{HOOK}",
            "GUMROAD_CLIENT_ID": "client",
            "GUMROAD_CLIENT_SECRET": "client-secret",
            "GUMROAD_API_URL": token_address,
        }
        line = [sys.executable, "-m", "creator_pipeline", "gateway", "--port", str(port)]
        process = subprocess.Popen(line, env=environment, cwd=folder, stdout=log, stderr=log)
        try:
            made = Door(f"http://127.0.0.1:{port}", process, KeyRing([key]), database, redis)
            deadline = time.monotonic() + 120
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if local_http.get(f"{made.url}/healthz").is_success:
                        break
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.1)
            with open_warehouse(database).write() as connection:
                profiles.add_profile(connection, "alice", "alice@example.com")
                profiles.connect(connection, made.ring, "gumroad", "alice", "token")
            yield made
        finally:
            process.kill()
            process.wait()
            open_warehouse(database).engine.dispose()
            servers.postgres().drop(database)


def ping(url: str, seconds: float) -> None:
    """Send pings for so long; print the seconds that each took, and how many were not taken, as JSON."""
    until, took, lost = time.monotonic() + seconds, list[float](), 0
    with local_http.Client(base_url=url, timeout=30) as http:
        while time.monotonic() < until:
            began = time.monotonic()
            answer = http.post(f"/webhooks/gumroad/{PATH_SECRET}", data={"sale_id": f"s{began}"})
            took.append(time.monotonic() - began)
            lost += answer.status_code != 202
            time.sleep(0.02)
    print(orjson.dumps([took, lost]).decode())


async def pings(target: Door, seconds: float) -> tuple[list[float], int]:
    """The same from a process of its own: what attacks would slow its clock down, too."""
    words = (sys.executable, "-m", __spec__.name, "--ping", target.url, "--seconds", str(seconds))
    process = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE)
    out, _ = await process.communicate()
    took, lost = orjson.loads(out)
    return took, lost


async def nothing(_target: Door, until: float) -> None:
    """For comparison."""
    await asyncio.sleep(max(0.0, until - time.monotonic()))


async def forms(target: Door, until: float) -> None:
    """Twenty forms of a million parts each, without a key."""

    async def body() -> object:
        for _ in range(60):
            yield PART * 20_000

    async def one() -> None:
        async with httpx.AsyncClient(timeout=30) as http:
            while time.monotonic() < until:
                with contextlib.suppress(httpx.TransportError):
                    answer = await http.post(f"{target.url}/uploads/kdp", content=body(), headers=FORM)
                    target.said.append(str(answer.status_code))
                await asyncio.sleep(0.05)

    await asyncio.gather(*(one() for _ in range(20)))


async def heads(target: Door, until: float) -> None:
    """Four heads without an end."""

    async def one() -> None:
        while time.monotonic() < until:
            reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
            with contextlib.suppress(OSError):
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ")
                for _ in range(3_000):
                    writer.write(b"a" * 65_536)
                    await writer.drain()
                    if reader.at_eof():
                        break
            writer.close()
            await asyncio.sleep(0.05)

    await asyncio.gather(*(one() for _ in range(4)))


async def sign_up(target: Door, number: int) -> None:
    data = {"email_action_type": "signup", "token_hash": "h", "redirect_to": ""}
    body = orjson.dumps({"user": {"email": "n@example.com"}, "email_data": data, "metadata": {"uuid": f"u{number}"}})
    began = time.monotonic()
    async with httpx.AsyncClient(timeout=60) as http:
        headers = signed(body, f"m{number}", secret=f"whsec_{HOOK}")
        answer = await http.post(f"{target.url}/webhooks/auth", content=body, headers=headers)
    target.said.append(f"{answer.status_code} in {time.monotonic() - began:.1f} s")


async def callbacks(target: Door, until: float) -> None:
    """Seven sellers come back while the token address drips; one signs up meanwhile."""

    async def one() -> None:
        async with httpx.AsyncClient(base_url=target.url, timeout=60) as http:
            # The page before tells whose account is connected, and has the link.
            page = await http.get(start_link(target.ring, "", "gumroad", "alice"))
            onward = next(
                str(link.get("href")) for link in Page(page.text).all("a") if "/start" in str(link.get("href"))
            )
            begun = await http.get(onward)
            state = httpx.URL(begun.headers["location"]).params["state"]
            await http.get(CALLBACK_PATH, params={"state": state, "code": "code"})

    sellers = [asyncio.ensure_future(one()) for _ in range(7)]
    await asyncio.sleep(0.5)
    await sign_up(target, 1)
    await asyncio.gather(*sellers, nothing(target, until))


async def locked(target: Door, until: float) -> None:
    """The table of mails is locked; five sign up."""
    with open_warehouse(target.database).engine.connect() as connection:
        connection.execute(text("LOCK TABLE email_messages IN ACCESS EXCLUSIVE MODE"))
        await asyncio.gather(*(sign_up(target, number) for number in range(10, 15)), nothing(target, until))


async def hung(target: Door, until: float) -> None:
    """Redis takes connections and says nothing; somebody asks for a job every half second."""
    target.redis.send_signal(signal.SIGSTOP)
    try:
        async with httpx.AsyncClient(base_url=target.url, timeout=60) as http:
            while time.monotonic() < until:
                began = time.monotonic()
                await http.get("/jobs/none")
                target.said.append(f"{time.monotonic() - began:.1f} s")
                await asyncio.sleep(0.5)
    finally:
        target.redis.send_signal(signal.SIGCONT)


PLAYS: dict[str, Callable[[Door, float], Awaitable[None]]] = {
    play.__name__: play for play in (nothing, forms, heads, callbacks, locked, hung)
}


async def run(target: Door, play: Callable[[Door, float], Awaitable[None]], seconds: float) -> bool:
    """Print a play's line; whether every ping was taken in time."""
    until = time.monotonic() + seconds + START_SECONDS
    target.said.clear()
    most = 0

    async def watch() -> None:
        nonlocal most
        while time.monotonic() < until:
            most = max(most, target.memory())
            await asyncio.sleep(0.1)

    (took, lost), _, _ = await asyncio.gather(pings(target, seconds), play(target, until), watch())
    took.sort()
    p50, p99 = (1000 * took[int(len(took) * share)] for share in (0.5, 0.99))
    said = ", ".join(sorted(set(target.said), key=target.said.index)[-6:])
    print(
        f"{play.__name__:10} pings {len(took):4}  p50 {p50:6.0f} ms  p99 {p99:6.0f} ms  most {1000 * took[-1]:6.0f} ms  "
        f"not taken {lost}  memory {most} MiB  {said}",
        flush=True,
    )
    return not lost and took[-1] <= MOST_SECONDS


def main() -> int:
    """Every play, one after another; returns the exit code."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("plays", nargs="*", help=f"of {', '.join(PLAYS)}; all by default")
    options.add_argument("--seconds", type=float, default=SECONDS)
    options.add_argument("--ping", metavar="URL", help="only send pings there, and print what they took")
    wish = options.parse_args()
    if wish.ping:
        ping(wish.ping, wish.seconds)
        return 0
    with tempfile.TemporaryDirectory() as folder, dripping() as slow, door(Path(folder), slow) as target:
        print(f"load {os.getloadavg()[0]:.1f}", flush=True)
        good = [asyncio.run(run(target, PLAYS[name], wish.seconds)) for name in wish.plays or PLAYS]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
