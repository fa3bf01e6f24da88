"""Mutated reports: nothing but a DataError may come out. ``python -m creator_pipeline_tests.fuzz.kdp --minutes N``."""

from __future__ import annotations

import argparse
import io
import math
import random
import tempfile
import time
import zipfile

from creator_pipeline.core.errors import DataError
from creator_pipeline.platforms.kdp.child_process import parse_in_child
from creator_pipeline.platforms.kdp.inspect import describe
from creator_pipeline.platforms.kdp.models import Report
from creator_pipeline.platforms.kdp.parse import parse
from creator_pipeline_tests.support.kdp_samples import FIXTURES

_TOKENS = [
    b",",
    b";",
    b'"',
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"1e999",
    b"-",
    b"=",
    b"2026-03",
    b"N/A",
    b"9" * 40,
    b"<c>",
    b"</row>",
    b"&x;",
    b"\xe6",
]
SEEDS = [
    path.read_bytes()
    for path in sorted(FIXTURES.iterdir())
    if path.suffix in {".csv", ".xlsx"} and path.stat().st_size < 50_000
]


def mutated(data: bytes, dice: random.Random) -> bytes:
    """A few bytes changed, put in, cut out or repeated."""
    out = bytearray(data)
    for _ in range(dice.randint(1, 6)):
        place = dice.randint(0, len(out))
        match dice.randint(0, 4):
            case 0:
                out[place : place + 1] = bytes([dice.randint(0, 255)])
            case 1:
                out[place:place] = dice.choice(_TOKENS)
            case 2:
                del out[place : place + dice.choice([1, 5, 200])]
            case 3:
                out[place:place] = out[max(0, place - dice.randint(1, 300)) : place]
            case _:
                del out[place if dice.random() < 0.1 else len(out) :]
    return bytes(out)


def mutant(dice: random.Random) -> bytes:
    """A mutated file; of a workbook, often a mutated part inside a sound zip."""
    seed = dice.choice(SEEDS)
    if not zipfile.is_zipfile(io.BytesIO(seed)) or dice.random() < 0.3:
        return mutated(seed, dice)
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(seed)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        chosen = dice.choice(old.namelist())
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, mutated(content, dice) if name == chosen else content)
    return stream.getvalue()


def _read(data: bytes) -> Report:
    if not data.startswith(b"PK"):
        return parse(data, "fuzz")
    # One cell that claims a far corner makes the Rust reader ask for a terabyte and abort: only a child survives that.
    with tempfile.NamedTemporaryFile(suffix=".xlsx") as file:
        file.write(data)
        file.flush()
        return parse_in_child(file.name, seconds=20)


def run(seed: int, *, files: int = 1_000_000_000, seconds: float = math.inf) -> tuple[int, int]:
    """Number of files tried and read; anything but a DataError is raised with the number of its seed."""
    tried = read = 0
    end = time.monotonic() + seconds
    while tried < files and time.monotonic() < end:
        number = seed + tried
        tried += 1
        data = mutant(random.Random(number))
        try:
            describe(_read(data))
            read += 1
        except DataError:
            pass
        except Exception as error:
            raise AssertionError(f"seed {number} gives {error!r}") from error
    return tried, read


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=1)
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    print(run(chosen.seed, seconds=chosen.minutes * 60))  # noqa: T201 - a command that says what it found
