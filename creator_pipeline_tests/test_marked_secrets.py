"""Everything runs with marked secrets, against a platform that quotes what it was asked; then they are looked for.

A marker is looked for as it is (which finds it percent-encoded and escaped too), in base64, in hex and backwards.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import dagster as dg
import httpx
import pytest
from sqlalchemy import select

from creator_pipeline import cli, settings
from creator_pipeline.core.secrets import KeyRing, new_key
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.definitions import defs
from creator_pipeline.mail import alert_outbox, outbox
from creator_pipeline.monitoring import health_sensor
from creator_pipeline.platforms import sources
from creator_pipeline.platforms.gumroad.oauth import CALLBACK_PATH
from creator_pipeline.platforms.whop.jobs import CHANGES
from creator_pipeline.runtime import hooks
from creator_pipeline.runtime.tags import PROFILE_TAG, TRIGGER_TAG, range_tags
from creator_pipeline.settings import Settings
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline.store.tables import metadata
from creator_pipeline_tests.support import servers
from creator_pipeline_tests.support.code_location import sensor_named
from creator_pipeline_tests.support.gateway import Gateway, signed, whop_event
from creator_pipeline_tests.support.health import RESOURCES
from creator_pipeline_tests.support.marked_secrets import BUYER, Lines, Quoting, core, marker, needles, quoting

SECRET_VARIABLES = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Every secret variable is set to something marked; the value is what is looked for."""
    found: dict[str, str] = {}
    special = {
        "app_secret_keys": lambda: f"{new_key()},{new_key()}",
        "database_url": lambda: _with_password(servers.postgres().fresh_database(), "d" + secrets.token_hex(10)),
        "dagster_postgres_url": lambda: f"postgresql://u:{quote(marker(), safe='')}@127.0.0.1:9/dagster",
        "redis_url": lambda: f"redis://default:{quote(marker(), safe='')}@127.0.0.1:9/0",
        "resend_webhook_secret": lambda: "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
        "supabase_hook_secret": lambda: "v1,whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
        "whop_webhook_secret": lambda: f"ws_{secrets.token_hex(16)}",
        "gumroad_webhook_secret": lambda: secrets.token_hex(16),
        "sentry_dsn": lambda: "",
        "alert_urls": lambda: f"failure=json://u:{quote(marker(), safe='')}@127.0.0.1:9/x",
    }
    for name in sorted(SECRET_VARIABLES):
        value = special.get(name, marker)()
        monkeypatch.setenv(name.upper(), value)
        for number, part in enumerate(value.split(",")):
            found[f"{name} {number}"] = _sought(part)
    return {name: text for name, text in found.items() if len(text) > 8}


def _with_password(url: str, password: str) -> str:
    return url.replace("@", f":{password}@", 1) if "@" in url else url


def _sought(value: str) -> str:
    for prefix in ("whsec_", "ws_"):
        value = value.removeprefix(prefix)
    if "://" in value:
        value = (
            value.rpartition("@")[0]
            .rpartition(":")[2]
            .replace("%2F", "/")
            .replace("%2B", "+")
            .replace("%26", "&")
            .replace("%3D", "=")
        )
    return core(value) if value.startswith("m/+&=") else value


def runs(instance: dg.DagsterInstance, warehouse: Warehouse) -> None:
    """Every job that asks a platform, what its failure leads to, and the look of the health sensor."""
    window = DayWindow(today(), today().fromordinal(today().toordinal() + 1))
    asked = [
        ("gumroad_sync", {"tags": range_tags(window, "alice")}),
        ("gumroad_catalogue", {"partition_key": "alice"}),
        ("whop_sync", {"tags": range_tags(window, "alice")}),
        ("whop_memberships_scan", {"partition_key": "alice"}),
        ("whop_changes", {"run_config": CHANGES.config("alice")}),
        ("ledger", {}),
    ]
    made = sensor_named("webhook_jobs")(
        dg.build_sensor_context(instance=instance, resources=RESOURCES, definitions=defs)
    )
    requests = made.run_requests or []
    asked += [(each.job_name, {"run_config": each.run_config, "tags": each.tags}) for each in requests]
    for job, words in asked:
        words["tags"] = {PROFILE_TAG: "alice", TRIGGER_TAG: "nightly", **words.get("tags", {})}
        done = defs.resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False, **words)
        finished = instance.get_run_by_id(done.run_id)
        for source in hooks.sources_of(finished, sources()):
            hooks.tell(instance, finished, source, failed=not done.success)
        assert done.success is (job == "ledger"), job
    health_sensor.pipeline_health(
        dg.build_sensor_context(instance=instance, resources=RESOURCES, repository_def=defs.get_repository_def())
    )


def calls(gateway: Gateway, marked: dict[str, str], code: str) -> Iterator[httpx.Response]:
    """Every door, with right and with wrong words."""
    config, body, key = gateway.config, whop_event(), gateway.key("alice")
    marked["upload key"] = key["Authorization"].rpartition(" ")[2]
    for name in ("whop", "gumroad/nonsense", "resend", "auth"):
        yield gateway.http.post(f"/webhooks/{name}", content=body, headers=signed(body))
    yield gateway.whop(body, signed(body, secret=config.require("WHOP_WEBHOOK_SECRET").encode()))
    yield gateway.ping("sale_id=abc&email=" + quote(BUYER), config.require("GUMROAD_WEBHOOK_SECRET"))
    begun = gateway.http.get("/oauth/gumroad/start", params={"profile_id": "alice"}, headers=key)
    state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
    yield gateway.http.get(CALLBACK_PATH, params={"state": state, "code": code})
    for path in ("/jobs/x", "/readyz", "/metrics", "/docs", "/openapi.json", f"/nothing?token={code}"):
        yield gateway.http.get(path, headers=key)
    yield gateway.http.post("/uploads/kdp", files={"file": ("a.csv", b"a,b\n1,2\n")}, headers=key)


def said_by(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """What a command says, whatever becomes of it."""
    monkeypatch.setattr("sys.argv", ["creator-pipeline", *words])
    with contextlib.suppress(SystemExit):
        cli.main()
    said = capsys.readouterr()
    return said.out + said.err


def test_no_secret_is_anywhere(
    marked: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guards: a token in a run's log, a mail or a table, because a platform's error quoted the request."""
    tokens = {name: marker() for name in ("gumroad token", "gumroad refresh", "whop key", "oauth code")}
    marked |= {name: core(text) for name, text in tokens.items()}
    lines, root = Lines(), logging.getLogger()
    level = root.level
    root.addHandler(lines)
    root.setLevel(logging.DEBUG)
    monkeypatch.setattr("creator_pipeline.core.retry.worth_waiting", lambda _: False)
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda *_: 0.01)
    seen: dict[str, bytes] = {}
    try:
        with quoting() as url:
            for name in ("GUMROAD_API_URL", "WHOP_API_URL", "RESEND_API_URL"):
                monkeypatch.setenv(name, url)
            channel = settings.load().require("ALERT_URLS").replace("127.0.0.1:9", urlsplit(url).netloc)
            monkeypatch.setenv("ALERT_URLS", channel)
            monkeypatch.setenv("GUMROAD_CLIENT_ID", "client")
            monkeypatch.setenv("FROM_EMAIL", "from@example.com")
            monkeypatch.setenv("OPS_EMAIL", "ops@example.com")
            config = settings.load()
            warehouse = open_warehouse(config.warehouse_url)
            said = said_by(
                capsys,
                monkeypatch,
                "profiles",
                "add",
                "alice",
                "--email",
                "alice@example.com",
                "--notify",
                "every",
                "--whop-key",
                tokens["whop key"],
            )
            with warehouse.write() as connection:
                profiles.connect(
                    connection,
                    KeyRing(config.require("APP_SECRET_KEYS").split(",")),
                    "gumroad",
                    "alice",
                    tokens["gumroad token"],
                    refresh_token=tokens["gumroad refresh"],
                )
            with Gateway(
                config.warehouse_url,
                **{
                    name: getattr(config, name)
                    for name in Settings.model_fields
                    if getattr(config, name) is not None and name != "database_url"
                },
            ) as gateway:
                # Here the test itself is the client, and says to whom it speaks.
                lines.unheard = ("httpx", "httpcore")
                seen["gateway"] = "".join(
                    f"{a.headers}{a.text}" for a in calls(gateway, marked, tokens["oauth code"])
                ).encode()
            lines.unheard = ()
            (tmp_path / "dagster").mkdir()
            with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
                for name in ("gumroad_profiles", "whop_profiles"):
                    instance.add_dynamic_partitions(name, ["alice"])
                runs(instance, warehouse)
                Quoting.dead = True
                runs(instance, warehouse)
            outbox.flush(warehouse, config)
            assert alert_outbox.flush(warehouse, config) != alert_outbox.AlertReport()
            for words in (
                ("doctor", "--json"),
                ("profiles", "list"),
                ("profiles", "export", "alice"),
                ("webhooks", "list"),
                ("alerts", "test"),
                ("alerts", "list"),
            ):
                said += said_by(capsys, monkeypatch, *words)
        with warehouse.read() as connection:
            for table in metadata.sorted_tables:
                seen[table.name] = "\n".join(map(str, connection.execute(select(table)))).encode()
        warehouse.engine.dispose()
    finally:
        root.removeHandler(lines)
        root.setLevel(level)
    seen |= {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    seen |= {
        "logs": "\n".join(lines.lines).encode(),
        "commands": said.encode(),
        "mails": "\n".join(Quoting.bodies).encode(),
    }
    assert Quoting.bodies
    assert b"refuses" in seen["commands"]
    assert len(marked) >= len(SECRET_VARIABLES) + len(tokens) - 1
    sought = needles(marked) | {
        b"buyer-of-a-book": "a buyer's address",
        quote(BUYER, safe="").encode(): "a buyer's address",
    }
    assert {
        (place, name) for place, content in seen.items() for needle, name in sought.items() if needle in content
    } == set()
