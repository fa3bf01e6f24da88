"""Several consumers at once, one of them killed, Redis restarted under them."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing.synchronize import Event
from pathlib import Path

from creator_pipeline.queue.jobs import JobQueue, NewJob
from creator_pipeline.queue.redis_client import RedisLink
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline_tests.support.queue_processes import consumers
from creator_pipeline_tests.support.servers import RedisServer

JOBS = 120
LEASE = 0.5


def work(database: str, url: str, log: Path, stop: Event, hang_after: int) -> None:
    """Take and end jobs; after so many, sit on a lease."""
    queue = JobQueue(open_warehouse(database), RedisLink(url))
    done = 0
    with log.open("a") as lines:
        while not stop.is_set():
            leases = queue.dequeue(4, LEASE)
            for lease in leases:
                if done == hang_after:
                    Path(f"{log}.hangs").touch()
                    time.sleep(60)
                if queue.ack(lease.id, lease.attempt):
                    lines.write(f"{lease.id}\n")
                    lines.flush()
                    done += 1
            if not leases:
                time.sleep(0.02)


def test_four_consumers_end_every_job_once_though_one_is_killed_and_redis_restarts(
    warehouse: Warehouse, server: RedisServer, tmp_path: Path
) -> None:
    """Deliveries are lost with the process that held them, or counted twice."""
    queue = JobQueue(warehouse, RedisLink(server.url))
    new = [
        NewJob("alice", "gumroad", "webhook", {}, id=f"j{n:03}", delay=0.5 if n % 7 == 0 else 0) for n in range(JOBS)
    ]
    with warehouse.write() as connection:
        queue.add(connection, new)
    queue.announce(new)
    context = consumers()
    stop = context.Event()
    database = (
        warehouse.engine.url.render_as_string(hide_password=False).replace("+psycopg2", "").replace("+pysqlite", "")
    )
    logs = [tmp_path / f"log{n}" for n in range(4)]
    workers = [
        context.Process(target=work, args=(database, server.url, log, stop, 5 if n == 0 else -1), daemon=True)
        for n, log in enumerate(logs)
    ]
    for worker in workers:
        worker.start()
    try:
        while not Path(f"{logs[0]}.hangs").exists():
            # The others may have left it nothing to hang on.
            queue.enqueue("alice", "gumroad", "webhook", {})
            time.sleep(0.02)
        os.kill(workers[0].pid or 0, signal.SIGKILL)
        server.kill()
        time.sleep(0.1)
        server.start()
        while any(queue.depth().values()):
            time.sleep(0.05)
    finally:
        stop.set()
        for worker in workers:
            # None is killed that may have ended a job and not yet said so.
            worker.join()
    ended = [line for log in logs for line in log.read_text().splitlines()]
    assert len(ended) == len(set(ended))
    assert {f"j{n:03}" for n in range(JOBS)} <= set(ended)
    assert max(job.attempts for job in queue.get(ended)) >= 2, "the killed one's jobs were handed out again"
