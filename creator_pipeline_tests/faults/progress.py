"""What a system still has to do, asked of its databases past any proxy."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psycopg2

if TYPE_CHECKING:
    from creator_pipeline_tests.faults.system import System

OPEN_WORK = {
    "warehouse": """
        SELECT 'jobs', count(*) FROM ingestion_jobs WHERE status IN ('queued', 'running')
        UNION ALL SELECT 'mails', count(*) FROM email_messages WHERE status = 'queued'
        UNION ALL SELECT 'days to roll up', count(*) FROM ledger_changes
        UNION ALL SELECT 'files', count(*) FROM kdp_files WHERE state IN ('looked', 'settled')
    """,
    "dagster": "SELECT 'runs', count(*) FROM runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')",
}
"""What may still have to be done: database to query for a name and a number each."""


class Progress:
    """Questions to one system.

    Attributes:
        queries: as :data:`OPEN_WORK`; what a system doesn't have is left out.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._connections: dict[str, Any] = {}
        self.queries = dict(OPEN_WORK)

    def close(self, database: str | None = None) -> None:
        """Close the connection to one database, or to all."""
        for name in [database] if database else list(self._connections):
            if name in self._connections:
                self._connections.pop(name).close()

    def ask(self, query: str, database: str = "warehouse") -> list[tuple[Any, ...]]:
        """The rows of a query, past any proxy."""
        for last in (False, True):
            try:
                connection = self._connections.get(database)
                if connection is None or connection.closed:
                    connection = self._connections[database] = psycopg2.connect(self._system.database_url(database))
                    connection.autocommit = True
                with connection.cursor() as cursor:
                    cursor.execute(query)
                    return cursor.fetchall() if cursor.description else []
            except psycopg2.OperationalError:
                # The server was restarted since: its connections are gone.
                self._connections.pop(database, None)
                if last:
                    raise
        raise AssertionError

    def open_work(self) -> dict[str, int]:
        """What is still to be done, by kind; empty when nothing is."""
        # First what comes before: it may have moved on by the time the next is asked.
        if not (self._system.sandbox.pings.wait_idle(0) and self._system.sandbox.webhooks.wait_idle(0)):
            return {"deliveries": 1}
        counts = [row for database, query in self.queries.items() for row in self.ask(query, database)]
        return {name: count for name, count in counts if count}

    def wait_until_quiet(self, seconds: float, *, steady: float = 6.0) -> None:
        """Until no delivery, job, run, roll-up, file or mail is open, and none came up for ``steady`` seconds.

        Raises:
            TimeoutError: names what is still open.
        """
        deadline, quiet_since = time.monotonic() + seconds, None
        while True:
            found, now = self._system.open_work(), time.monotonic()
            quiet_since = None if found else quiet_since or now
            if quiet_since is not None and now - quiet_since >= steady:
                return
            if now > deadline:
                raise TimeoutError(f"After {seconds:g} s there is still open: {found or 'nothing, but not for long'}")
            time.sleep(0.25)
