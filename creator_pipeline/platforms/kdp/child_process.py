"""Reads files from outside in child processes with limits of memory and processor time.

The limits also hold where the checks of the file don't: a zip directory that lies about sizes, a bug in the workbook
reader. A reading process that somebody else ended (a machine that shuts down or has no memory left) says nothing of the
file: it is read again.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple

from creator_pipeline.core.errors import ConfigError, DataError, TransientError
from creator_pipeline.platforms.kdp.models import NOT_TAUGHT, Report, Row
from creator_pipeline.platforms.kdp.problems import ReportError

try:
    import resource
except ImportError:  # Windows has no such limits; the parent's clock is then the only one.
    resource = None

_BATCH = 5000
_ROOT = Path(__file__).resolve().parents[2]
GIVE_UP_SECONDS = 900.0
"""A reading process that is silent for so long is ended, and the file is read again later."""
_ENDED_FROM_OUTSIDE = {
    number for name in ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT") if (number := getattr(signal, name, None))
}
_TOO_LONG = getattr(signal, "SIGXCPU", None)


class _Asked(NamedTuple):
    """A file to be read: path, name for messages, limits, where the answer and the errors go, what was taught."""

    path: str
    name: str
    memory_mb: int
    seconds: int
    answer: str
    errors: str
    taught: dict[str, str]


class _End(NamedTuple):
    """How the process that read a file ended: its exit code, negative for a signal, and its processor time."""

    code: int
    seconds: float


def parse_in_child(
    path: str | Path,
    *,
    file_name: str | None = None,
    taught: Mapping[str, str] = NOT_TAUGHT,
    memory_mb: int = 1024,
    seconds: int = 60,
) -> Report:
    """Read a report as :func:`.parse.parse` does, in a child process: that of :func:`one_reader` within its block.

    Args:
        path: the file.
        file_name: its name in messages; the path's name by default.
        taught: header in normal form -> our name of the column, as a person said it.
        memory_mb: most address space of the child, in MiB.
        seconds: most processor time of the child. Time that passes doesn't count: the machine may be busy.

    Raises:
        ReportError: the file is no usable report, or reading it takes more than the limits allow.
        ConfigError: there is no such file.
        TransientError: the child was ended from outside before it had read the file.
        RuntimeError: the reader has a fault; the message holds its trace.
    """
    path = Path(path).resolve()
    name = file_name or path.name
    if not path.is_file():
        raise ConfigError(f"{name}: there is no such file.", hint="Check the path.")
    with one_reader() as reader, tempfile.TemporaryDirectory() as folder:
        answer, errors = Path(folder) / "answer", Path(folder) / "errors"
        asked = _Asked(str(path), name, memory_mb, seconds, str(answer), str(errors), dict(taught))
        ended = reader.read(asked)
        if ended is not None and ended.code == 0:
            with answer.open("rb") as stream:
                return _received(stream)
        said = errors.read_bytes() if errors.exists() else b""
        raise _failure(name, memory_mb, seconds, ended, said)


def _failure(name: str, memory_mb: int, seconds: int, ended: _End | None, said: bytes) -> Exception:
    killed = signal.Signals(-ended.code) if ended is not None and ended.code < 0 else None
    if ended is not None and (killed == _TOO_LONG or (killed in _ENDED_FROM_OUTSIDE and ended.seconds >= seconds)):
        return _too_much(name, f"more than {seconds} seconds of processor time")
    if ended is None or killed in _ENDED_FROM_OUTSIDE:
        return TransientError(
            f"Reading {name} was cut off: {killed.name if killed else 'its process is gone or silent'}.",
            hint="It says nothing of the file, which is read again. Is the machine short of memory?",
        )
    if killed is not None or any(words in said for words in _OUT_OF_MEMORY):
        return _too_much(name, f"more than {memory_mb} MB of memory")
    # A bug of ours: its trace belongs into the log of the run, not into a verdict about the file.
    return RuntimeError(f"reading {name} failed: {said.decode('utf-8', 'replace')[-2000:]}")


_OUT_OF_MEMORY = (b"memory allocation", b"MemoryError", b"failed to map segment", b"Cannot allocate memory")
"""Words of a child that reached its limit of memory: of Rust, of Python, and of the loader of libraries."""


def _too_much(name: str, found: str) -> ReportError:
    return ReportError(
        "Reading this file takes far more than a report of KDP's ever does.",
        hint="Upload the file as KDP made it; split a very large export into shorter ranges.",
        file=name,
        found=found,
    )


_current: ContextVar[Reader | None] = ContextVar("reader", default=None)


@contextlib.contextmanager
def one_reader() -> Generator[Reader]:
    """Let all files of the block be read by children of one process, which is started once. Blocks may be nested."""
    outer = _current.get()
    if outer is not None:
        yield outer
        return
    reader = Reader()
    token = _current.set(reader)
    try:
        yield reader
    finally:
        _current.reset(token)
        reader.close()


@dataclass(slots=True)
class Reader:
    """A process that has the reader loaded and forks for each file, so that a file can only harm its own process."""

    _process: subprocess.Popen[bytes] | None = None

    def read(self, asked: _Asked) -> _End | None:
        """Have a file read; None where the process is gone or stays silent.

        Raises:
            RuntimeError: the process was started without pipes.
        """
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(  # noqa: S603 - nothing of it comes from outside
                [sys.executable, "-m", __name__],
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Ended as a group; and an interrupt from the keyboard is the parent's to handle.
                start_new_session=True,
            )
        ask, answer = self._process.stdin, self._process.stdout
        if ask is None or answer is None:
            raise RuntimeError("the reading process has no pipes")
        try:
            pickle.dump(tuple(asked), ask)
            ask.flush()
            if _speaks(answer):
                return _End(*pickle.load(answer))  # noqa: S301 - our own child wrote it
        except (OSError, EOFError, pickle.UnpicklingError):
            pass
        self.close()
        return None

    def close(self) -> None:
        """End the process, and what it has forked."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def _speaks(stream: IO[bytes]) -> bool:
    """Whether the child says something before we give up. Windows can't ask that of a pipe."""
    if sys.platform == "win32":
        return True
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        return bool(selector.select(GIVE_UP_SECONDS))


def _received(answer: BinaryIO) -> Report:
    result: Report | DataError = pickle.load(answer)  # noqa: S301 - our own child wrote it, from rows we typed
    if isinstance(result, DataError):
        raise result
    with contextlib.suppress(EOFError):
        while True:
            batch: list[tuple[object, ...]] = pickle.load(answer)  # noqa: S301 - as above
            result.rows.extend(map(Row._make, batch))
    return result


def _send(result: Report | DataError, stream: BinaryIO) -> None:
    if isinstance(result, DataError):
        pickle.dump(result, stream)
        return
    pickle.dump(replace(result, rows=[]), stream)
    for start in range(0, len(result.rows), _BATCH):
        pickle.dump([tuple(row) for row in result.rows[start : start + _BATCH]], stream)


def _read(asked: _Asked) -> None:
    """Read one file in this process, within its limits."""
    if resource is not None:
        memory, seconds = asked.memory_mb << 20, asked.seconds
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from creator_pipeline.platforms.kdp.parse import parse

    try:
        result: Report | DataError = parse(asked.path, asked.name, asked.taught)
    except DataError as error:
        result = error
    with Path(asked.answer).open("wb") as stream:
        _send(result, stream)


def _fork(asked: _Asked) -> _End:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with Path(asked.errors).open("wb") as errors:
                os.dup2(errors.fileno(), 2)
            _read(asked)
            code = 0
        except BaseException:  # noqa: BLE001 - the parent reads what it was; nothing else may run on in the fork
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    _, status, used = os.wait4(child, 0)
    return _End(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime)


def main() -> None:
    """Run the child: reads the pickled files to be read from its input, writes how each went to its output."""
    importlib.import_module("creator_pipeline.platforms.kdp.parse")  # loaded once, for all files

    while True:
        try:
            asked = _Asked(*pickle.load(sys.stdin.buffer))  # noqa: S301 - our own parent wrote it
        except EOFError:
            return
        if hasattr(os, "fork"):
            ended = _fork(asked)
        else:
            _read(asked)
            ended = _End(0, 0.0)
        pickle.dump(tuple(ended), sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
