"""A code location whose runs tell of their processes: lines of the file that ``FORKED_LINES`` names."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import dagster as dg

LOADED_BY = os.getpid()
"""The process that imported this."""


def say(word: str) -> None:
    """A line with the word, this process, and the one that loaded the code."""
    with Path(os.environ["FORKED_LINES"]).open("a", encoding="utf-8") as lines:
        lines.write(f"{word} {os.getpid()} {LOADED_BY}\n")


def work(name: str, until: str) -> int:
    """Say that it has begun, and exit with 7 once a file is there."""
    say(name)
    while not Path(until).exists():
        time.sleep(0.01)
    sys.exit(7)


@dg.op
def tell() -> None:
    """Begin and end."""
    say("quick")


@dg.op
def wait() -> None:
    """Until it is terminated, or a minute long."""
    say("begun")
    time.sleep(60)


@dg.job(executor_def=dg.in_process_executor)
def quick() -> None:
    """Ends at once."""
    tell()


@dg.job(executor_def=dg.in_process_executor)
def long() -> None:
    """Goes on."""
    wait()


defs = dg.Definitions(jobs=[quick, long])
