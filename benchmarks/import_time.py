"""Seconds to import the code location beside a bare ``import dagster``: ``python benchmarks/import_time.py``.

The process is set up first, as each process of an instance is. Fresh processes, in turns, caches warm; medians, and the
heaviest modules that Dagster alone does not bring. Each once more with the storage that every process of an instance
opens, which brings SQLAlchemy whether or not we do.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BARE = "import dagster"
OURS = "from creator_pipeline.runtime import process; process.start(); import creator_pipeline.definitions"
STORAGE = "; import dagster._core.storage.sqlite_storage"
ROUNDS = 7
SHOWN = 12
# As installed: Dagster's byte code is kept by pip, and without ours we would be compiled each time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
TIMED = "import time; t = time.process_time(); {0}; print(time.process_time() - t)"


def seconds(statement: str) -> float:
    """Processor time of one import, which other work on the machine disturbs less than wall time."""
    command = [sys.executable, "-c", TIMED.format(statement)]
    return float(subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split()[-1])


def modules(statement: str) -> dict[str, tuple[int, int]]:
    """Own and cumulative microseconds of each module."""
    command = [sys.executable, "-X", "importtime", "-c", statement]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stderr.splitlines()
    rows = [line.removeprefix("import time:").split("|") for line in lines[1:] if line.startswith("import time:")]
    return {name.strip(): (int(own), int(whole)) for own, whole, name in rows if own.strip().isdigit()}


def main() -> None:
    """Print the table."""
    times: dict[str, list[float]] = {BARE: [], OURS: [], BARE + STORAGE: [], OURS + STORAGE: []}
    for number in range(ROUNDS + 1):
        for statement, taken in times.items():
            found = seconds(statement)
            # The first round fills the caches.
            if number:
                taken.append(found)
    for statement, taken in times.items():
        print(f"{statement:80}{statistics.median(taken):6.2f} s ({min(taken):.2f}-{max(taken):.2f})")
    for named, more in ("bare", ""), ("with its storage", STORAGE):
        ratios = [ours / bare for ours, bare in zip(times[OURS + more], times[BARE + more], strict=True)]
        print(f"ratio {named} {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})")
    print(f"load average {os.getloadavg()[0]:.1f}")
    bare, ours = modules(BARE), modules(OURS)
    extra = sorted(((whole, name) for name, (_, whole) in ours.items() if name not in bare), reverse=True)
    print(f"\nheaviest modules that {BARE!r} doesn't bring, with what they import, ms")
    for whole, name in [item for item in extra if item[1] != "creator_pipeline.definitions"][:SHOWN]:
        print(f"{whole / 1000:8.0f}  {name}")


if __name__ == "__main__":
    main()
