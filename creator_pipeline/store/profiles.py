"""Profiles and their platform connections: who sells where, and with which token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from creator_pipeline.core.errors import AuthError, ConfigError
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import now
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.profile_ids import check_email, check_profile_id, check_timezone
from creator_pipeline.store.tables import platform_connections, profiles
from creator_pipeline.store.upserts import insert_into


@dataclass(frozen=True, slots=True)
class PlatformConnection:
    """One profile's access to one platform, with its tokens in the clear. Never logged."""

    provider: str
    profile_id: str
    access_token: str
    refresh_token: str | None
    external_account_id: str | None
    scopes: str | None
    status: str
    last_error: str | None

    def __repr__(self) -> str:
        return f"PlatformConnection({self.provider}, {self.profile_id}, {self.status})"


def _upsert(connection: Connection, table: Any, values: dict[str, Any], keep: Sequence[str] = ()) -> None:
    statement = insert_into(connection, table).values(values)
    keys = [column.name for column in table.primary_key]
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=keys,
            # Not EXCLUDED: it reads the columns, and the gateway's role may write a token and not read one.
            set_={name: value for name, value in values.items() if name not in {*keys, *keep}},
        )
    )


def add_profile(
    connection: Connection,
    profile_id: str,
    email: str | None = None,
    *,
    display_name: str | None = None,
    timezone: str | None = None,
    notify: str | None = None,
) -> None:
    """Add a profile, or change one that exists: what is left out stays as it is.

    Args:
        connection: a write transaction.
        profile_id: of the owner.
        email: of the owner; a name beside it is left out. Required for a new profile.
        display_name: what the owner is called in mails.
        timezone: IANA name; UTC for a new profile.
        notify: which mails the owner wants: ``failures``, which is the default, ``every`` or ``none``.

    Raises:
        ConfigError: the id, the address or the zone can't be used, or a new profile has no address.
    """
    given = {
        "email": None if email is None else check_email(profile_id, email),
        "display_name": display_name,
        "timezone": None if timezone is None else check_timezone(timezone),
        "notify": notify,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    mine = profiles.c.id == check_profile_id(profile_id)
    if connection.execute(select(profiles.c.id).where(mine)).first() is not None:
        if changes:
            connection.execute(update(profiles).where(mine).values(changes))
        return
    if email is None:
        raise ConfigError(f"{profile_id} is new and has no e-mail address.", hint="Add it with --email.")
    defaults = {"subscription_tier": "free", "timezone": "UTC", "notify": "failures", "created_at": now()}
    _upsert(connection, profiles, {"id": profile_id, **defaults, **changes}, keep=tuple(defaults))


def connect(
    connection: Connection,
    ring: KeyRing,
    provider: str,
    profile_id: str,
    access_token: str | None,
    *,
    refresh_token: str | None = None,
    external_account_id: str | None = None,
    scopes: str | None = None,
) -> None:
    """Store a platform's tokens, encrypted, and mark the connection active.

    Args:
        connection: a write transaction.
        ring: encrypts the tokens.
        provider, profile_id: the platform, and whose account it is.
        access_token, refresh_token: in clear; None where only the account's id is known.
        external_account_id: the platform's own id of the account.
        scopes: what the token may do, separated by spaces.
    """
    _upsert(
        connection,
        platform_connections,
        {
            "provider": provider,
            "profile_id": profile_id,
            "external_account_id": external_account_id,
            "access_token": ring.encrypt(access_token) if access_token else None,
            "refresh_token": ring.encrypt(refresh_token) if refresh_token else None,
            "scopes": scopes,
            "status": "active",
            "last_error": None,
            "created_at": now(),
            "expected_by": None,
        },
        keep=("created_at",),
    )


def connected(warehouse: Warehouse, provider: str) -> list[str]:
    """Ids of the profiles that have an account at ``provider`` we hold a token of, whatever its status, in order.

    A connection without a token only says who somebody is there: a buyer's user id.
    """
    with warehouse.read() as connection:
        return list(
            connection.execute(
                select(platform_connections.c.profile_id)
                .where(platform_connections.c.provider == provider, platform_connections.c.access_token.is_not(None))
                .order_by(platform_connections.c.profile_id)
            ).scalars()
        )


def holder_of(connection: Connection, ring: KeyRing, provider: str, token: str) -> str | None:
    """Id of the profile whose active connection has this very token; None where it is nobody's.

    Args:
        connection: of the warehouse.
        ring: decrypts the stored tokens.
        provider: as ``platform_connections`` calls the platform.
        token: in clear.
    """
    table = platform_connections.c
    rows = connection.execute(
        select(table.profile_id, table.access_token).where(
            table.provider == provider, table.access_token.is_not(None), table.status == "active"
        )
    )
    for profile_id, stored in rows:
        try:
            if ring.decrypt(stored) == token:
                return profile_id
        except ConfigError:
            continue  # its key is gone: the doctor says so
    return None


def is_connected(connection: Connection, provider: str, profile_id: str) -> bool:
    """Whether a profile has a connection that works, as far as is known."""
    table = platform_connections.c
    asked = select(table.status).where(
        table.provider == provider, table.profile_id == profile_id, table.access_token.is_not(None)
    )
    return connection.execute(asked).scalar() == "active"


def get_profile(warehouse: Warehouse, profile_id: str) -> dict[str, Any]:
    """The profile's row.

    Raises:
        ConfigError: there is none.
    """
    with warehouse.read() as connection:
        row = connection.execute(select(profiles).where(profiles.c.id == profile_id)).mappings().first()
    if row is None:
        raise unknown_profile(warehouse, profile_id)
    return dict(row)


def every_id(warehouse: Warehouse) -> list[str]:
    """The ids of all profiles, in order."""
    with warehouse.read() as connection:
        return list(connection.execute(select(profiles.c.id).order_by(profiles.c.id)).scalars())


def unknown_profile(warehouse: Warehouse, profile_id: str) -> ConfigError:
    """The error for a profile that doesn't exist; names those that do."""
    with warehouse.read() as connection:
        known = list(connection.execute(select(profiles.c.id).order_by(profiles.c.id).limit(20)).scalars())
    return ConfigError(
        f"There is no profile {profile_id!r}.",
        hint=f"Known: {', '.join(known) or 'none'}. Add one: "
        f"creator-pipeline profiles add {profile_id} --email ADDRESS",
    )


def get_connection(warehouse: Warehouse, ring: KeyRing, provider: str, profile_id: str) -> PlatformConnection:
    """The profile's connection, tokens decrypted.

    Args:
        warehouse, ring: has the tokens, and decrypts them.
        provider, profile_id: the platform, and whose account it is.

    Raises:
        ConfigError: no such profile, not connected, or the key is gone.
        AuthError: the connection is marked revoked.
    """
    with warehouse.read() as connection:
        row = (
            connection.execute(
                select(platform_connections).where(
                    platform_connections.c.provider == provider, platform_connections.c.profile_id == profile_id
                )
            )
            .mappings()
            .first()
        )
    if row is None or not row["access_token"]:
        get_profile(warehouse, profile_id)
        raise ConfigError(
            f"{profile_id} is not connected to {provider}.",
            hint=f"With the option of {provider} (see --help): creator-pipeline profiles add {profile_id}",
        )
    if row["status"] == "revoked":
        raise AuthError(
            f"{profile_id}'s {provider} connection was revoked: {row['last_error'] or 'refused'}",
            hint="Connect it again, then run this again.",
        )
    return PlatformConnection(
        provider=provider,
        profile_id=profile_id,
        access_token=ring.decrypt(row["access_token"]),
        refresh_token=ring.decrypt(row["refresh_token"]) if row["refresh_token"] else None,
        external_account_id=row["external_account_id"],
        scopes=row["scopes"],
        status=row["status"],
        last_error=row["last_error"],
    )


def last_syncs(warehouse: Warehouse, provider: str) -> dict[str, datetime]:
    """Begin of the last good sync of each profile that had one, by profile."""
    columns = platform_connections.c
    with warehouse.read() as connection:
        rows = connection.execute(
            select(columns.profile_id, columns.last_synced_at).where(
                columns.provider == provider, columns.last_synced_at.is_not(None)
            )
        )
        return dict(rows.all())


def mark_synced(connection: Connection, provider: str, profile_id: str, moment: datetime) -> None:
    """Note a good sync, and mark the connection active.

    Args:
        connection: of a transaction.
        provider: as ``platform_connections`` calls the platform.
        profile_id: whose connection.
        moment: when the sync began, aware UTC.
    """
    connection.execute(
        update(platform_connections)
        .where(platform_connections.c.provider == provider, platform_connections.c.profile_id == profile_id)
        .values(last_synced_at=moment, status="active", last_error=None)
    )


def mark_revoked(connection: Connection, provider: str, profile_id: str, reason: str) -> bool:
    """Mark the connection revoked; True when it was not marked before, so that the owner is told once.

    Args:
        connection: of a transaction.
        provider: as ``platform_connections`` calls the platform.
        profile_id: whose connection.
        reason: what the platform answered.
    """
    return bool(
        connection.execute(
            update(platform_connections)
            .where(
                platform_connections.c.provider == provider,
                platform_connections.c.profile_id == profile_id,
                platform_connections.c.status != "revoked",
            )
            .values(status="revoked", last_error=reason)
        ).rowcount
    )
