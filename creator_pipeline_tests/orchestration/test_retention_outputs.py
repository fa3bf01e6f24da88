"""What steps print is kept for a while and not for ever; the runs stay."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import dagster as dg

from creator_pipeline.core.windows import now
from creator_pipeline.orchestration.retention import forget_outputs


def test_what_steps_printed_long_ago_goes_and_the_rest_stays(tmp_path: Path) -> None:
    """Incident: print-outs of two years of runs filled the disk, with lines that nobody had meant to keep."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        folders = [Path(instance.storage_directory()) / name / "compute_logs" for name in ("old-run", "new-run")]
        for folder in folders:
            folder.mkdir(parents=True)
            (folder / "step.out").write_text("hello", encoding="utf-8")
        long_ago = (now() - timedelta(days=40)).timestamp()
        os.utime(folders[0], (long_ago, long_ago))
        assert forget_outputs(instance, now() - timedelta(days=30)) == 1
        assert [folder.exists() for folder in folders] == [False, True]
        assert forget_outputs(instance, now() - timedelta(days=30)) == 0
