"""What a system still has to do, and what each piece of it waits for."""

from __future__ import annotations

import os

from creator_pipeline_tests.faults.system import System

MOST = 8
"""Lines of each kind."""
QUERIES = {
    "warehouse": f"""
        SELECT 'job ' || id || ' of ' || source || ' ' || profile_id || ': ' || kind || ' ' || status || ', attempt '
            || attempts || ', visible in ' || round(extract(epoch FROM visible_at - now())) || ' s, run '
            || coalesce(run_id, 'none') || coalesce(', ' || error, '')
        FROM ingestion_jobs WHERE status IN ('queued', 'running') ORDER BY created_at LIMIT {MOST}
    """,
    "dagster": f"""
        (SELECT 'run ' || r.run_id || ' of ' || pipeline_name || ': ' || status || ' for '
            || round(extract(epoch FROM now() AT TIME ZONE 'UTC' - update_timestamp)) || ' s, last '
            || coalesce((SELECT dagster_event_type FROM event_logs e WHERE e.run_id = r.run_id AND dagster_event_type
                IS NOT NULL ORDER BY id DESC LIMIT 1), 'nothing')
        FROM runs r WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED') ORDER BY id LIMIT {MOST})
        UNION ALL (SELECT 'step ' || step_key || ' of run ' || run_id || ' waits for pool ' || concurrency_key
        FROM pending_steps LIMIT {MOST})
        UNION ALL (SELECT 'pool ' || concurrency_key || ' has a slot at run ' || run_id FROM concurrency_slots
        WHERE run_id IS NOT NULL LIMIT {MOST})
        UNION ALL (SELECT 'last tick of ' || (tick_body::json->>'instigator_name') || ': ' || status || ' '
            || round(extract(epoch FROM now() AT TIME ZONE 'UTC' - timestamp)) || ' s ago'
        FROM (SELECT DISTINCT ON (selector_id) * FROM job_ticks ORDER BY selector_id, id DESC) t)
    """,
}
"""Database to a query for a sentence each."""
MOVED = {
    "warehouse": "SELECT count(*), sum(attempts), count(finished_at) FROM ingestion_jobs",
    "dagster": "SELECT max(id) FROM event_logs",
}
"""What is another figure once anything was done."""


def progress(system: System) -> object:
    """Another value whenever something was done: a run logged an event, or a job was made, taken or ended."""
    return [system.ask(query, database) for database, query in MOVED.items()], system.open_work()


def undone(system: System) -> list[str]:
    """A line each for open jobs, runs, steps that wait, slots and sensors, and the load of the machine."""
    lines = [str(row[0]) for database, query in QUERIES.items() for row in system.ask(query, database)]
    return [*lines, f"load {os.getloadavg()[0]:.1f}, open: {system.open_work() or 'nothing'}"]
