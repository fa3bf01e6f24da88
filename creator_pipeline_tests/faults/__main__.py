"""``python -m creator_pipeline_tests.faults --rounds N [--seed S] [--only FAULT]``: see docs/faults.md."""

from __future__ import annotations

import argparse
import sys

from creator_pipeline_tests.faults.campaign import campaign, table
from creator_pipeline_tests.faults.catalogue import CATALOGUE


def main() -> int:
    """Exit code 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="creator_pipeline_tests.faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=sorted(CATALOGUE), action="append", help="may be given more than once")
    parser.add_argument(
        "--runner", choices=["worker", "daemon", "processes"], default="worker", help="who does the runs"
    )
    parser.add_argument("--seconds", type=float, help="end after so long, whatever is left")
    wish = parser.parse_args()
    results = []
    for result in campaign(wish.rounds, wish.seed, wish.only, runner=wish.runner, seconds=wish.seconds):
        results.append(result)
        said = "ok" if not result.violations else "VIOLATED"
        notes = f"  {'; '.join(result.notes)}" if result.notes else ""
        sys.stdout.write(
            f"{len(results):5} {result.fault:32} seed {result.seed:<8} {result.seconds:6.1f} s  {said}{notes}\n"
        )
        for line in result.violations:
            sys.stdout.write(f"      {line}\n")
        sys.stdout.flush()
    sys.stdout.write(table(results))
    return 1 if any(result.violations for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
