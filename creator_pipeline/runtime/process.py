"""What each process does once when it starts: errors to Sentry, no warnings about beta APIs, a rarer collector.

The command line and the gateway call :func:`start` themselves. The code server, the daemon, the web server and the run
workers are started by Dagster, which loads its instance from ``dagster.yaml`` before the definitions. There
:class:`creator_pipeline.runtime.storage.EnvStorage` calls it, and :class:`creator_pipeline.runtime.run_logs.RunLines`
where the storage is another one, as with Dagster's Helm chart.

Dagster itself is not imported here: a command that doesn't need it starts in a third of the time.
"""

from __future__ import annotations

import atexit
import gc
import warnings
from functools import cache

COLLECT_EVERY = 50_000
"""New objects between two runs of the garbage collector. With Python's own 700 it takes a sixth of the time that the
definitions need to load (benchmarks/import_time.py)."""


@cache
def start() -> None:
    """Set up this process; a second call does nothing."""
    from dagster_shared.utils.warnings import BetaWarning, PreviewWarning

    from creator_pipeline.runtime import error_reports, forked_runs
    from creator_pipeline.runtime.code_server import watch_code_server

    # The pin in pyproject.toml makes these safe; without this each command begins with a page of them.
    warnings.filterwarnings("ignore", category=BetaWarning)
    warnings.filterwarnings("ignore", category=PreviewWarning)
    # What is loaded by now stays to the end: the collector needn't look at it again.
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY, 10, 10)
    # At exit Python collects once more, which costs each run a third of a second for memory that is freed anyway.
    atexit.register(gc.freeze)
    error_reports.start()
    watch_code_server(forked_runs.prepare)
