"""Checks of the platforms: set up, each connected account, new names, and the gateway as the platforms see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import httpx
from sqlalchemy import Connection, inspect, select

from creator_pipeline.core.caller import TIMEOUT
from creator_pipeline.core.checks import Check, Finding, NothingKnown
from creator_pipeline.core.errors import AuthError, ConfigError, PipelineError
from creator_pipeline.core.money import for_people
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import now
from creator_pipeline.monitoring import lateness
from creator_pipeline.platforms import PLATFORMS, of_name, of_provider
from creator_pipeline.platforms.checks import Checks
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.platforms.webhooks import Account
from creator_pipeline.runtime.unknown_fields import PREFIX
from creator_pipeline.settings import Settings
from creator_pipeline.store import freshness, migrate
from creator_pipeline.store.engine import Warehouse, connect_as_is, open_warehouse
from creator_pipeline.store.health_reports import open_ones
from creator_pipeline.store.tables import platform_connections, unexplained, unreadable

KeyRingOf = Callable[[], KeyRing]
_DEFAULT_URL = "http://127.0.0.1:8088"
_NO_CHECKS = Checks()


def checks_of(platform: Platform) -> Checks:
    """What doctor, health and smoke ask of a platform."""
    return platform.checks.get() if platform.checks else _NO_CHECKS


def label(platform: Platform | None, word: str) -> str:
    """For people: the platform's label; ``word``, by which it was looked up, where there is none any more."""
    return platform.label if platform else word


def doctor_checks(config: Settings, ring: KeyRingOf, profiles: Sequence[str] = ()) -> list[Check]:
    """What is set up for each platform, and each connected account; then the gateway.

    Args:
        config: of this installation.
        ring: decrypts the tokens.
        profiles: only these accounts; all where none is given.
    """
    try:
        found = [one for one in _connected_accounts(config) if not profiles or one.profile_id in profiles]
    except PipelineError:
        found = []  # the line "warehouse" says why
    return [
        *(
            check
            for platform in PLATFORMS
            for check in (*checks_of(platform).setup(config), *_account_checks(config, ring, found, platform))
        ),
        Check("fresh", lambda: fresh(config, profiles)),
        Check("gateway", lambda: gateway(config)),
    ]


def fresh(config: Settings, profiles: Sequence[str] = ()) -> Iterator[Finding]:
    """How long ago each profile was read, and when that is too long."""
    with connect_as_is(config.warehouse_url) as connection:
        if connection is None or migrate.current(connection) != migrate.HEAD:
            return
        found = freshness.every(connection)
    chosen = [one for one in found if not profiles or one.profile_id in profiles]
    yield from lateness.figures(chosen, now())


def asked_anew(config: Settings, report_id: str) -> list[Finding] | None:
    """What a check that is made once a day finds now; None where the problem is of another kind, or can't be seen now.

    Args:
        config: of this installation, whose warehouse is migrated.
        report_id: of an open problem.
    """
    name = report_id.removeprefix("look/")
    for platform in PLATFORMS:
        checks = checks_of(platform)
        if not checks.daily_prefix or not name.startswith(checks.daily_prefix):
            continue
        check = checks.daily(open_warehouse(config.warehouse_url), config, name.removeprefix(checks.daily_prefix))
        try:
            return list(check.run()) if check else []
        except (NothingKnown, PipelineError):
            return None
    return None


def health_checks(warehouse: Warehouse, config: Settings) -> list[Check]:
    """What ``pipeline_health`` checks of the platforms at each tick. No platform is asked."""
    return [
        Check("connection/", lambda: connections(warehouse)),
        *(check for platform in PLATFORMS for check in checks_of(platform).health(warehouse, config)),
        Check("books/", lambda: unexplained_money(warehouse)),
        Check("objects/", lambda: unreadable_objects(warehouse)),
        Check(PREFIX, lambda: new_names(warehouse)),
    ]


def _accounts(connection: Connection) -> list[Account]:
    """Every stored connection, in order."""
    table = platform_connections.c
    asked = select(*(table[name] for name in Account._fields)).order_by(table.provider, table.profile_id)
    return [Account._make(row) for row in connection.execute(asked)]


def _connected_accounts(config: Settings) -> list[Account]:
    """Connections with a token; none where there is no warehouse yet."""
    with connect_as_is(config.warehouse_url) as connection:
        if connection is None or not inspect(connection).has_table(platform_connections.name):
            return []
        return [account for account in _accounts(connection) if account.access_token is not None]


def _account_checks(config: Settings, ring: KeyRingOf, found: list[Account], platform: Platform) -> list[Check]:
    if not platform.connects:
        return []
    name = platform.name
    if not config.enabled(name):
        return [Check(name, lambda: [Finding(name, "off", f"ENABLE_{name.upper()} is off.")])]
    mine = [account for account in found if account.provider == platform.in_ledger]
    if not mine:
        hint = "creator-pipeline profiles add alice --email alice@example.com"
        if platform.credential:
            hint = f"{hint} {platform.credential.option} …"
        return [Check(name, lambda: [Finding(name, "off", "No profile is connected.", hint)])]

    def check(account: Account) -> Check:
        whose = account.profile_id
        return Check(
            f"{name} {whose}",
            lambda: (replace(one, profile_id=whose) for one in _account(config, ring, account, platform)),
        )

    return [check(account) for account in mine]


def _account(config: Settings, ring: KeyRingOf, account: Account, platform: Platform) -> Iterator[Finding]:
    name, ask = f"{platform.name} {account.profile_id}", checks_of(platform).account
    try:
        token = ring().decrypt(account.access_token or "")
    except ConfigError as error:
        yield Finding(f"{name} token", "no", error.message, error.hint)
        return
    if account.status == "revoked":
        yield _refused(account, f"{name} token")
        return
    if account.status == "error":
        yield _refused(account, f"{name} account")
    yield Finding(f"{name} token", "ok", "can be decrypted")
    yield from _not_readable(config, account, platform)
    try:
        if ask is not None:
            yield from ask(config, account, token)
    except AuthError as error:
        hint = error.hint or _connect_again(account)
        yield Finding(f"{name} {'token' if error.revoked else 'scopes'}", "no", _said(error), hint)
    except PipelineError as error:
        yield Finding(f"{name} api", "no", _said(error), error.hint)


def _said(error: PipelineError) -> str:
    """An error's message, after what was asked."""
    return f"{error.operation}: {error.message}" if error.operation else error.message


def _not_readable(config: Settings, account: Account, platform: Platform) -> Iterator[Finding]:
    """Tables of the books that the account's token or its server doesn't give."""
    if platform.books is None:
        return
    with connect_as_is(config.warehouse_url) as connection:
        tables = list(platform.books.get().not_readable(connection, account.profile_id)) if connection else []
    for one in tables:
        yield Finding(f"{platform.name} {account.profile_id} {one.table}", "no", one.detail, one.hint)


def unexplained_money(warehouse: Warehouse) -> Iterator[Finding]:
    """Accounts whose books don't add up, each with its largest difference."""
    table = unexplained.c
    with warehouse.read() as connection:
        rows = connection.execute(select(unexplained).order_by(table.provider, table.profile_id)).all()
    for (provider, profile_id), group in groupby(rows, key=lambda row: (row.provider, row.profile_id)):
        found = sorted(group, key=lambda row: -abs(row.amount_micros))
        first, word = found[0], label(of_provider(provider), provider)
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        amount = for_people(first.amount_micros, first.currency)
        text = f"{word} of {profile_id}: {amount} of {first.scope} {first.key}: {first.reason}{more}."
        hint = f"creator-pipeline books show --profile {profile_id}; see docs/books.md."
        name = f"books/{provider}/{profile_id}"
        yield Finding(name, "no", text, hint, f"The books of {word}", profile_id, amount=amount)


def unreadable_objects(warehouse: Warehouse) -> Iterator[Finding]:
    """Single objects of accounts that can't be read, by their list; they count nowhere."""
    table = unreadable.c
    asked = select(unreadable).where(table.object_id != "").order_by(*unreadable.primary_key)
    with warehouse.read() as connection:
        rows = connection.execute(asked).all()
    for (provider, profile_id, part), group in groupby(rows, key=lambda row: row[:3]):
        found = list(group)
        word = label(of_provider(provider), provider)
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        text = f"{word} of {profile_id}: {part} {found[0].object_id} has {found[0].detail}{more}."
        name = f"objects/{provider}/{profile_id}/{part}"
        yield Finding(name, "no", text, found[0].hint, f"What {word} tells of {profile_id}", profile_id)


def connections(warehouse: Warehouse) -> Iterator[Finding]:
    """Connections that a platform refuses."""
    with warehouse.read() as connection:
        found = _accounts(connection)
    for account in found:
        if account.status != "active":
            yield _refused(account, f"connection/{account.provider}/{account.profile_id}")
    yield from _twice(found)


def _twice(found: Sequence[Account]) -> Iterator[Finding]:
    """Accounts that two profiles are connected to, as releases before could make them."""
    holders = dict[tuple[str, str], str]()
    for account in found:
        if account.access_token is None or account.external_account_id is None:
            continue
        first = holders.setdefault((account.provider, account.external_account_id), account.profile_id)
        if first != account.profile_id:
            word, owner = label(of_provider(account.provider), account.provider), account.profile_id
            text = f"{owner} and {first} are connected to one account of {word}: its sales are booked twice."
            hint = f"Keep one of them: creator-pipeline profiles remove {owner}"
            name = f"connection/{account.provider}/{owner}/twice"
            yield Finding(name, "no", text, hint, f"The {word} connection", owner)


def _refused(account: Account, name: str) -> Finding:
    word, owner = label(of_provider(account.provider), account.provider), account.profile_id
    text = f"The connection of {owner} to {word} is {account.status}: {account.last_error or 'no reason was kept'}"
    return Finding(name, "no", text, _connect_again(account), f"The {word} connection", owner)


def _connect_again(account: Account) -> str:
    platform = of_provider(account.provider)
    return platform.where_to_connect.format(profile_id=account.profile_id) if platform else ""


def new_names(warehouse: Warehouse) -> Iterator[Finding]:
    """New names of a platform that runs have met, until a release knows them."""
    known = {f"{one.name}/{kind}": names for one in PLATFORMS for kind, names in one.known_names.items()}
    with warehouse.read() as connection:
        rows = [row for row in open_ones(connection) if row["id"].startswith(PREFIX)]
    for row in rows:
        kind, _, name = row["id"].removeprefix(PREFIX).rpartition("/")
        if name not in known.get(kind, ()):
            source = kind.partition("/")[0]
            yield Finding(row["id"], "no", row["text"], row["hint"], f"A new name of {label(of_name(source), source)}")


def gateway(config: Settings) -> Iterator[Finding]:
    """Whether the gateway answers where the platforms look for it."""
    url = f"{config.public_url}/healthz"
    try:
        answer = httpx.get(url, timeout=TIMEOUT, follow_redirects=False)
    except httpx.RequestError as error:
        what = f"{url}: no answer ({type(error).__name__})."
        if config.public_url == _DEFAULT_URL:
            hint = "creator-pipeline gateway; set PUBLIC_URL where it is reached from outside."
            yield Finding("gateway", "off", what, hint)
            return
        yield Finding("gateway", "no", what, "Start it: creator-pipeline gateway. Is PUBLIC_URL right?")
        return
    if answer.status_code != 200:
        hint = "Does the proxy lead to the gateway?"
        yield Finding("gateway", "no", f"{url}: HTTP {answer.status_code}.", hint)
        return
    yield Finding("gateway", "ok", url)
