"""What a fork server imports before its first fork: whatever a run needs, and nothing that a fork can't take over.

Threads, connections and handles of a library can't be; modules and definitions can. Imported by nobody else.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import logging
import os
import pkgutil
import sys
import time
import warnings
from collections.abc import Iterable
from pathlib import Path

VARIABLE = "CREATOR_PIPELINE_PRELOAD"
"""Of the environment, where a fork server begins: arguments of :func:`load` and ``path`` for ``sys.path``, as JSON."""
ENDING_SECONDS = 2.0
"""How long a thread may take to end that an import has begun and ended."""


def load(module: str, ahead: Iterable[str], ready: str) -> None:
    """Load everything, then say so.

    Args:
        module: that holds the definitions.
        ahead: modules that runs import; of a package of this project all its modules. One that can't be imported is
            left out: whoever needs it says so.
        ready: path of the file that gets this process's number.

    Raises:
        RuntimeError: something has begun a thread.
    """
    import dagster as dg

    warnings.simplefilter("ignore")
    # Or numpy begins a thread for each processor, and no run has linear algebra to do.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for name in _each(ahead):
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    for value in list(vars(importlib.import_module(module)).values()):
        if isinstance(value, dg.Definitions):
            value.get_repository_def().load_all_definitions()
    warnings.resetwarnings()
    # A timer that matplotlib cancels has a thread for a moment more.
    deadline = time.monotonic() + ENDING_SECONDS
    while (threads := len(list(Path("/proc/self/task").iterdir()))) > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    if threads > 1:
        raise RuntimeError(f"{threads} threads: a fork would lose all but one.")
    # Else the collector writes to what forks share with this process.
    gc.freeze()
    Path(ready).write_text(str(os.getpid()), encoding="utf-8")


def _each(names: Iterable[str]) -> Iterable[str]:
    for name in names:
        yield name
        own = getattr(sys.modules.get(name), "__path__", ()) if name.startswith("creator_pipeline.") else ()
        # What a platform's stand-in for tests serves by, no run needs.
        yield from (one.name for one in pkgutil.walk_packages(own, f"{name}.") if ".sandbox" not in one.name)


def _begin() -> None:
    text = os.environ.pop(VARIABLE, "")
    if not text:
        return
    told = json.loads(text)
    sys.path[:] = told.pop("path")
    try:
        load(**told)
    except Exception:
        logging.getLogger(__name__).exception("Runs are not forked: their code can't be loaded ahead")


_begin()
