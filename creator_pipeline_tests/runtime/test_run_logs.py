"""Lines of runs name their source."""

from __future__ import annotations

from creator_pipeline.definitions import defs
from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.runtime import run_logs


def test_the_first_word_of_each_job_and_step_is_a_platform_or_one_of_our_own():
    """Guards: a job of the installation whose lines name a platform that doesn't exist."""
    known = {platform.name for platform in PLATFORMS} | run_logs._OWN.keys()
    for job in defs.get_repository_def().get_all_jobs():
        if not job.name.startswith("__"):
            assert job.name.partition("_")[0] in known, job.name
        for node in job.nodes:
            assert node.name.partition("_")[0] in known or node.name.startswith("pipeline_"), node.name
