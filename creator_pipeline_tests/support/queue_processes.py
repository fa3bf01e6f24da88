"""Processes that share nothing with the test but what they are told."""

from __future__ import annotations

import multiprocessing
from multiprocessing.context import ForkServerContext


def consumers() -> ForkServerContext:
    """Where the room is imported once for all of them: four imports cost more than the tests."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["creator_pipeline_tests.queue.test_jobs_processes", "creator_pipeline_tests.queue.test_pace"]
    )
    return context
