"""Which account a profile's sales are of. An account is one profile's, and doesn't change by itself.

Who connects another account by mistake would have the ledger of the first one replaced, day by day, and no row would
say so. So the account is remembered beside the connection, and outlives it; another one is refused until a person says
that it is meant.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select, update

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.windows import now
from creator_pipeline.store.locks import lock
from creator_pipeline.store.source import Source
from creator_pipeline.store.tables import closed_months, platform_accounts, platform_connections, sales_events
from creator_pipeline.store.upserts import insert_new

REPLACE = (
    "creator-pipeline profiles connect {profile_id} --replace-account, or, with its token, "
    "creator-pipeline profiles add {profile_id} --replace-account"
)
"""How an operator says that a profile is another account's from now on."""


class SellerAccount(NamedTuple):
    """An account as its platform tells it. ``name`` is None where it tells none."""

    id: str
    name: str | None = None

    def __str__(self) -> str:
        return f"{self.name} ({self.id})" if self.name else self.id


class OtherAccountError(ConfigError):
    """A token is of another account than the profile's sales, or of another profile's account.

    Attributes:
        known: the account of the profile's sales; None where the account is another profile's.
        found: the account of the token; None where it can't be told.
        holder: the other profile; empty where there is none.
    """

    code = "other_account"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        known: SellerAccount | None = None,
        found: SellerAccount | None = None,
        holder: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.known, self.found, self.holder = known, found, holder


def known(connection: Connection, provider: str, profile_id: str) -> SellerAccount | None:
    """The account that a profile's sales are of; None where nothing was read yet, or the platform doesn't tell."""
    table = platform_accounts.c
    asked = select(table.account_id, table.account_name).where(
        table.provider == provider, table.profile_id == profile_id
    )
    row = connection.execute(asked).first()
    return None if row is None else SellerAccount(row.account_id, row.account_name)


def claim(
    connection: Connection, source: Source, profile_id: str, found: SellerAccount | None, *, replace: bool = False
) -> None:
    """Note that a profile's token is of this account.

    Args:
        connection: a write transaction.
        source: the platform.
        profile_id: whose token it is.
        found: the account of the token; None where the platform doesn't tell.
        replace: a person said that it may be another one than before. What was read of the former one goes before
            this one is read.

    Raises:
        OtherAccountError: it is another profile's, or not the one that this profile's sales are of.
        ConfigError: another account was said to be meant, and the profile has closed months.
    """
    before = known(connection, source.provider, profile_id)
    if found is None:
        if before is not None:
            raise _cant_tell(source, profile_id, before)
        return
    lock(connection, f"{source.provider} account {found.id}")
    _refuse_anothers(connection, source, profile_id, found)
    values = {"account_id": found.id, "account_name": found.name}
    key = {"provider": source.provider, "profile_id": profile_id}
    if before is None and insert_new(connection, platform_accounts, {**key, **values, "since": now(), "clears": False}):
        return
    if before is not None and before.id != found.id:
        if _has_sales(connection, source.provider, profile_id):
            if not replace:
                raise _other(source, profile_id, before, found)
            _refuse_closed_months(connection, profile_id)
        values |= {"since": now(), "clears": True}
    elif found.name is None:
        del values["account_name"]
    table = platform_accounts.c
    mine = (table.provider == source.provider, table.profile_id == profile_id)
    connection.execute(update(platform_accounts).where(*mine).values(values))


def note_hold(connection: Connection, provider: str, profile_id: str, reason: str) -> None:
    """Mark a connection whose account is not the profile's; its runs go on asking, and read nothing.

    Args:
        connection: a write transaction.
        provider: as ``platform_connections`` calls the platform.
        profile_id: whose connection.
        reason: for people.
    """
    table = platform_connections.c
    connection.execute(
        update(platform_connections)
        .where(table.provider == provider, table.profile_id == profile_id)
        .values(status="error", last_error=reason)
    )


def _has_sales(connection: Connection, provider: str, profile_id: str) -> bool:
    """Whether anything was read: an account's id that was mistyped, and is corrected, replaces nothing."""
    events = sales_events.c
    asked = select(events.id).where(events.profile_id == profile_id, events.platform == provider)
    return connection.execute(asked.limit(1)).first() is not None


def _refuse_anothers(connection: Connection, source: Source, profile_id: str, found: SellerAccount) -> None:
    table = platform_connections.c
    asked = select(table.profile_id).where(
        table.provider == source.provider, table.external_account_id == found.id, table.profile_id != profile_id
    )
    holder = connection.execute(asked.limit(1)).scalar()
    if holder is not None:
        raise OtherAccountError(
            f"This access to {source.label} is to the account {found}, which is another profile's already: its sales "
            "would be booked twice.",
            hint=f"Connect {profile_id} to its own account, or first: creator-pipeline profiles remove {holder}",
            found=found,
            holder=holder,
        )


def _other(source: Source, profile_id: str, before: SellerAccount, found: SellerAccount) -> OtherAccountError:
    return OtherAccountError(
        f"The sales of {profile_id} are of the {source.label} account {before}; this access is to the account {found}. "
        "Nothing was read and nothing was changed.",
        hint=f"Connect {profile_id} to {before} again, or give the other account a profile of its own. If {profile_id} "
        f"is to be the other account from now on: {REPLACE.format(profile_id=profile_id)}",
        known=before,
        found=found,
    )


def _cant_tell(source: Source, profile_id: str, before: SellerAccount) -> OtherAccountError:
    return OtherAccountError(
        f"The sales of {profile_id} are of the {source.label} account {before}, and it can't be told whether this "
        "access is to the same one. Nothing was read.",
        hint=f"Connect {profile_id} with a token or key of {before.id} that may read its sales.",
        known=before,
    )


def _refuse_closed_months(connection: Connection, profile_id: str) -> None:
    table = closed_months.c
    asked = select(table.month).where(table.profile_id == profile_id, table.reopened_at.is_(None))
    months = list(connection.execute(asked.order_by(table.month)).scalars())
    if months:
        raise ConfigError(
            f"{profile_id} has closed months ({', '.join(months)}): their figures are of the account before.",
            hint="Give the other account a profile of its own, or reopen them: "
            f"creator-pipeline books reopen --profile {profile_id} --month {months[0]}",
        )
