"""What the parts of a system are told: secrets, environment, ``dagster.yaml``."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import yaml

from creator_pipeline import settings
from creator_pipeline.core.secrets import new_key
from creator_pipeline_tests.support.paths import ROOT

if TYPE_CHECKING:
    from creator_pipeline_tests.faults.system import System


def secrets(given: Mapping[str, str]) -> dict[str, str]:
    """Values of the secret variables, with those that are given in any case of letters."""
    return {
        "APP_SECRET_KEYS": new_key(),
        "GUMROAD_WEBHOOK_SECRET": "ping-path-secret-of-a-system",
        "WHOP_WEBHOOK_SECRET": "ws_c2VjcmV0IG9mIGEgc3lzdGVt",
        "RESEND_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "RESEND_API_KEY": "re_key_of_a_system",
        "SUPABASE_HOOK_SECRET": f"v1,whsec_{b64encode(b'secret of a system of a test ...').decode()}",
        **{name.upper(): value for name, value in given.items()},
    }


def environment(system: System) -> dict[str, str]:
    """What every part of ours sees; nothing of whoever runs the test."""
    ours = {name.upper() for name in settings.Settings.model_fields}
    sandbox = f"http://127.0.0.1:{system.via['sandbox']}" if "sandbox" in system.via else system.sandbox.url
    kept = {k: v for k, v in os.environ.items() if k not in ours and not k.startswith(("DAGSTER", "PG"))}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "DAGSTER_HOME": str(system.folder / "home"),
        "DATABASE_URL": system.database_url(direct=False),
        "DAGSTER_POSTGRES_URL": system.database_url("dagster", direct=False),
        "REDIS_URL": f"redis://127.0.0.1:{system.port('redis')}/0",
        "GUMROAD_API_URL": sandbox,
        "WHOP_API_URL": f"{sandbox}/api/v1",
        "RESEND_API_URL": sandbox,
        "FROM_EMAIL": "pipeline@example.com",
        "OPS_EMAIL": "ops@example.com",
        "PUBLIC_URL": system.gateway_url,
        "DAGSTER_URL": f"http://127.0.0.1:{system.ports['webserver']}",
        "GUMROAD_REQUESTS_PER_MINUTE": "600000",
        "WHOP_REQUESTS_PER_MINUTE": "600000",
        "RESEND_REQUESTS_PER_SECOND": "1000",
        **system.secrets,
    }


def dagster_config() -> dict[str, Any]:
    """``dagster.yaml`` of the installation: the project's."""
    config = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    # A run that never starts is looked for often: a test waits for it.
    config["run_monitoring"] |= {"poll_interval_seconds": 5, "start_timeout_seconds": 60}
    return config
