"""A database with the roles of deploy/postgresql."""

from __future__ import annotations

from urllib.parse import quote
from uuid import uuid4

import psycopg2
from sqlalchemy import make_url

from creator_pipeline.store import migrate
from creator_pipeline.store.engine import open_warehouse
from creator_pipeline_tests.support import paths, servers

DEPLOY = paths.ROOT / "deploy" / "postgresql"
ROLES = ("owner", "app", "gateway", "reader")


class Database:
    """A database set up by the shipped files, with roles whose names are this test's own.

    Attributes:
        url: as the server's administrator.
        prefix: of the roles' names, where the files have ``pipeline_``.
    """

    def __init__(self) -> None:
        self.url = servers.postgres().fresh_database()
        self.prefix = f"test_{uuid4().hex[:8]}_"

    def set_up(self) -> None:
        """As docs/security.md says."""
        self.run("roles.sql")
        owner = open_warehouse(self.of("owner"))
        assert migrate.upgrade(owner.engine)
        owner.engine.dispose()
        self.run("rights.sql", "owner")

    def of(self, role: str) -> str:
        """URL under which a session has a role's rights and no others."""
        option = quote(f"-crole={self.prefix}{role}")
        return make_url(self.url).update_query_string(f"options={option}").render_as_string(hide_password=False)

    def run(self, name: str, role: str = "") -> None:
        """What psql -f does."""
        self.execute((DEPLOY / name).read_text(encoding="utf-8"), role)

    def execute(self, statements: str, role: str = "") -> None:
        """Statements that name the roles as the docs do."""
        told = statements.replace("pipeline_", self.prefix)
        connection = psycopg2.connect(self.of(role) if role else self.url)
        with connection.cursor() as cursor:
            cursor.execute(told)
        connection.commit()
        connection.close()

    def close(self) -> None:
        """Roles are of the whole server: none may stay."""
        servers.postgres().drop(self.url)
        connection = psycopg2.connect(make_url(self.url).set(database="postgres").render_as_string(hide_password=False))
        with connection.cursor() as cursor:
            cursor.execute("".join(f'DROP ROLE IF EXISTS "{self.prefix}{role}";' for role in ROLES))
        connection.commit()
        connection.close()
