"""Hosts made of Linux namespaces: each with a name, an address, a process table and a home of its own.

A bridge joins them; this machine is on it too, as the place of the servers. Needs root and iproute2.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

GRACE_SECONDS = 20.0


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Host:
    """One of them: what runs on it ends with it."""

    def __init__(self, net: Network, name: str, number: int) -> None:
        self.name, self.address = name, f"{net.prefix}.{number}"
        self.home = net.folder / name
        self.home.mkdir()
        self._net, self._space, self._wire = net, f"{net.tag}-{name}", f"{net.tag}v{number}"
        self._running: list[subprocess.Popen[bytes]] = []
        _ip("netns", "add", self._space)
        _ip("link", "add", self._wire, "type", "veth", "peer", "name", "eth0", "netns", self._space)
        _ip("link", "set", self._wire, "master", net.tag, "up")
        _ip("-n", self._space, "addr", "add", f"{self.address}/24", "dev", "eth0")
        for wire in ("lo", "eth0"):
            _ip("-n", self._space, "link", "set", wire, "up")

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Run a command here, in the host's home, with this environment only; its words go to ``<home>.log``."""
        inside = ["sh", "-c", 'hostname "$0" && exec "$@"', self.name, *command]
        space = ["unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
        with self._net.folder.joinpath(f"{self.name}.log").open("ab") as log:
            process = subprocess.Popen(
                ["ip", "netns", "exec", self._space, *space, *inside],
                cwd=self.home,
                env={"PATH": os.environ["PATH"], "DAGSTER_HOME": str(self.home), **environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._running.append(process)
        return process

    def processes(self) -> list[int]:
        """What runs on it, in numbers of this machine."""
        found = subprocess.run(["ip", "netns", "pids", self._space], check=False, capture_output=True, text=True)
        return [int(word) for word in found.stdout.split()]

    def crash(self) -> None:
        """The host is gone without a word: no packet leaves it any more, and nothing on it runs."""
        _ip("link", "set", self._wire, "down")
        self._end(signal.SIGKILL)

    def remove(self) -> None:
        """End what runs here, and take the host away."""
        self._end(signal.SIGTERM)
        for kind in ("link", "netns"):
            subprocess.run(
                ["ip", kind, "del", self._wire if kind == "link" else self._space], check=False, capture_output=True
            )

    def _end(self, how: signal.Signals) -> None:
        for process in self._running:
            for child in _children(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, how)
        deadline = time.monotonic() + GRACE_SECONDS
        for process in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            # unshare takes its namespace, and all that is in it, along.
            process.kill()
            process.wait()
        self._running.clear()


def _children(process: int) -> list[int]:
    """Of unshare: the first process of the host's own table."""
    try:
        words = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="utf-8")
    except OSError:
        return []
    return [int(word) for word in words.split()]


class Network:
    """A bridge and its hosts; all gone when the block is left. This machine is ``<prefix>.1`` on it."""

    def __init__(self, folder: Path) -> None:
        if os.geteuid():
            sys.exit("Namespaces want root.")
        if shutil.which("ip") is None:
            sys.exit("Namespaces want iproute2.")
        self.folder = folder
        self.tag = f"cp{os.getpid() % 100_000}"
        self.prefix = f"10.77.{os.getpid() % 250}"
        self.address = f"{self.prefix}.1"
        self.hosts: dict[str, Host] = {}

    def __enter__(self) -> Self:
        _ip("link", "add", self.tag, "type", "bridge")
        _ip("addr", "add", f"{self.address}/24", "dev", self.tag)
        _ip("link", "set", self.tag, "up")
        return self

    def host(self, name: str) -> Host:
        """A new one."""
        self.hosts[name] = Host(self, name, len(self.hosts) + 2)
        return self.hosts[name]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for host in self.hosts.values():
            host.remove()
        subprocess.run(["ip", "link", "del", self.tag], check=False, capture_output=True)
