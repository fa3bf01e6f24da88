"""Reads a file from outside in a child process with limits of memory and time.

The limits also hold where the checks of the file don't: a zip directory that lies about sizes, a bug in the workbook
reader.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from creator_pipeline.core.errors import ConfigError, DataError
from creator_pipeline.platforms.kdp.models import NOT_TAUGHT, Report, Row
from creator_pipeline.platforms.kdp.problems import ReportError

try:
    import resource
except ImportError:  # Windows has no such limits; the parent's clock is then the only one.
    resource = None

_BATCH = 5000
_ROOT = Path(__file__).resolve().parents[2]


def parse_in_child(
    path: str | Path,
    *,
    file_name: str | None = None,
    taught: Mapping[str, str] = NOT_TAUGHT,
    memory_mb: int = 1024,
    seconds: int = 60,
) -> Report:
    """Read a report as :func:`.parse.parse` does, in a child process.

    Args:
        path: the file.
        file_name: its name in messages; the path's name by default.
        taught: header in normal form -> our name of the column, as a person said it.
        memory_mb: most address space of the child, in MiB.
        seconds: most time of the child.

    Raises:
        ReportError: the file is no usable report, or reading it takes more than the limits allow.
        ConfigError: there is no such file.
        RuntimeError: the reader has a fault; the message holds its trace.
    """
    path = Path(path).resolve()
    name = file_name or path.name
    if not path.is_file():
        raise ConfigError(f"{name}: there is no such file.", hint="Check the path.")
    command = [sys.executable, "-m", __name__, str(path), name, str(memory_mb), str(seconds)]
    with tempfile.TemporaryFile() as answer:
        try:
            done = subprocess.run(  # noqa: S603 - no shell: the file's name is one argument that nobody interprets
                command,
                cwd=_ROOT,
                input=json.dumps(dict(taught)).encode(),
                stdout=answer,
                stderr=subprocess.PIPE,
                timeout=seconds + 5,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _too_much(name, f"more than {seconds} seconds") from None
        answer.seek(0)
        if done.returncode == 0:
            return _received(answer)
        if -done.returncode in {signal.SIGXCPU, signal.SIGKILL}:
            raise _too_much(name, f"more than {seconds} seconds or {memory_mb} MB")
        if done.returncode < 0 or any(words in done.stderr for words in _OUT_OF_MEMORY):
            raise _too_much(name, f"more than {memory_mb} MB of memory")
        # A bug of ours: its trace belongs into the log of the run, not into a verdict about the file.
        raise RuntimeError(f"reading {name} failed: {done.stderr.decode('utf-8', 'replace')[-2000:]}")


_OUT_OF_MEMORY = (b"memory allocation", b"MemoryError", b"failed to map segment", b"Cannot allocate memory")
"""Words of a child that reached its limit of memory: of Rust, of Python, and of the loader of libraries."""


def _too_much(name: str, found: str) -> ReportError:
    return ReportError(
        "Reading this file takes far more than a report of KDP's ever does.",
        hint="Upload the file as KDP made it; split a very large export into shorter ranges.",
        file=name,
        found=found,
    )


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


def main(arguments: list[str]) -> None:
    """Run the child. Its arguments are path, name, megabytes and seconds; it writes the pickled report to stdout."""
    path, name, memory_mb, seconds = arguments
    if resource is not None:
        memory = int(memory_mb) << 20
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from creator_pipeline.platforms.kdp.parse import parse

    try:
        result: Report | DataError = parse(path, name, json.load(sys.stdin))
    except DataError as error:
        result = error
    _send(result, sys.stdout.buffer)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
