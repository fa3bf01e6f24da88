"""A TCP proxy that fails as networks do, and acts at named instants of what passes through it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal

import psutil

Mode = Literal["through", "cut", "slow", "half_open"]


@dataclass
class Instant:
    """A moment in a conversation: the ``nth`` time that a request matches.

    Attributes:
        pattern: searched in what a client sends (an SQL statement, a command, the head of a request).
        then: act at the next time that this comes on the same connection, and not at the pattern itself.
        after: act when the answer is there and before the client has it, else before the request is passed on.
        action: what to do; given the process id of the client. The connection is cut after it.
        done: set once it was done.
    """

    pattern: str
    action: Callable[[int | None], object]
    then: str = ""
    after: bool = False
    nth: int = 1
    done: threading.Event = field(default_factory=threading.Event)
    seen: int = 0
    armed: set[int] = field(default_factory=set[int])

    def matches(self, connection: int, data: bytes) -> bool:
        """Counts, and says whether this is the time."""
        if self.done.is_set():
            return False
        if connection in self.armed:
            return re.search(self.then.encode(), data) is not None
        if re.search(self.pattern.encode(), data) is None:
            return False
        self.seen += 1
        if self.seen == self.nth and self.then:
            self.armed.add(connection)
            return False
        return self.seen == self.nth


class Proxy(AbstractContextManager["Proxy"]):
    """Stands before one port of this machine.

    Attributes:
        port: where it listens.
        mode: ``through``; ``cut`` resets what is open and refuses what is new; ``slow`` holds everything back for
            ``delay`` seconds; ``half_open`` passes nothing on and says nothing.
        instant: the next moment to act at.
        behind: tells the port it stands before.
    """

    def __init__(self, behind: Callable[[], int]) -> None:
        self.behind = behind
        self.mode: Mode = "through"
        self.delay = 0.2
        self.instant: Instant | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self._server = server.result(10)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    def __exit__(self, *_: object) -> None:
        async def end() -> None:
            self._server.close()
            self._reset_all()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def set_mode(self, mode: Mode) -> None:
        """From now on. Whatever hung in ``half_open`` is reset when that ends: its peer has forgotten it."""
        before, self.mode = self.mode, mode
        if mode == "cut" or before == "half_open":
            self._loop.call_soon_threadsafe(self._reset_all)

    def cut(self) -> None:
        """Reset what is open; what is new passes."""
        self._loop.call_soon_threadsafe(self._reset_all)

    def _reset_all(self) -> None:
        for writer in self._open:
            _reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            if self.mode == "cut":
                return
            try:
                there, back = await asyncio.open_connection("127.0.0.1", self.behind())
            except OSError:
                return
            self._open.add(back)
            try:
                fired: list[Instant] = []
                pumps = [
                    asyncio.create_task(self._requests(reader, back, writer, fired)),
                    asyncio.create_task(self._answers(there, writer, fired)),
                ]
                _, left = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                for task in left:
                    task.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
            finally:
                self._open.discard(back)
                back.close()
        finally:
            self._open.discard(writer)
            writer.close()

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        back: asyncio.StreamWriter,
        client: asyncio.StreamWriter,
        fired: list[Instant],
    ) -> None:
        while data := await reader.read(1 << 16):
            await self._hold()
            instant = self.instant
            if instant is not None and instant.matches(id(client), data):
                if not instant.after:
                    await _act(instant, client)
                    return
                fired.append(instant)
            back.write(data)
            await back.drain()

    async def _answers(self, there: asyncio.StreamReader, client: asyncio.StreamWriter, fired: list[Instant]) -> None:
        while data := await there.read(1 << 16):
            await self._hold()
            if fired:
                await _act(fired[0], client)
                return
            client.write(data)
            await client.drain()

    async def _hold(self) -> None:
        while self.mode == "half_open":
            await asyncio.sleep(0.02)
        if self.mode == "slow":
            await asyncio.sleep(self.delay)


async def _act(instant: Instant, client: asyncio.StreamWriter) -> None:
    def act() -> None:
        instant.action(_peer(client))
        instant.done.set()

    # On another thread, which goes on when a server that is killed here ends this connection meanwhile.
    await asyncio.to_thread(act)
    _reset(client)


def _peer(client: asyncio.StreamWriter) -> int | None:
    """Process at the other end of a connection of this machine."""
    port = client.get_extra_info("peername")[1]
    own = client.get_extra_info("sockname")[1]
    for found in psutil.net_connections("tcp4"):
        if found.laddr and found.raddr and (found.laddr.port, found.raddr.port) == (port, own):
            return found.pid
    return None


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    with contextlib.suppress(OSError, AttributeError):
        # Lingering for no time makes the kernel send RST instead of FIN.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
