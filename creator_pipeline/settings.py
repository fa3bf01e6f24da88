"""Everything the environment decides, read here and nowhere else.

A variable that is missing is no error here: what needs it calls :meth:`Settings.require`, so the code location
loads with nothing set. A value that can't be read is a :class:`ConfigError` naming the variable.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from creator_pipeline.core import addresses, env_file, secrets
from creator_pipeline.core.errors import ConfigError

WHERE_TO_GET = {
    "GUMROAD_CLIENT_ID": "Gumroad: Settings, Advanced, Applications.",
    "GUMROAD_CLIENT_SECRET": "Gumroad: Settings, Advanced, Applications.",
    "GUMROAD_REDIRECT_URI": "PUBLIC_URL followed by /api/platforms/oauth/gumroad/callback.",
    "GUMROAD_WEBHOOK_SECRET": "Choose one: python -c 'import secrets; print(secrets.token_urlsafe(32))'.",
    "WHOP_API_KEY": "Whop: Developer, API keys (an account key with member:basic:read and payment:basic:read).",
    "WHOP_WEBHOOK_SECRET": "Whop: Developer, Webhooks; it begins with ws_.",
    "WHOP_ACCOUNT_ID": "Whop: the biz_… in the dashboard's address.",
    "RESEND_API_KEY": "Resend: API Keys.",
    "FROM_EMAIL": "An address of a domain verified at Resend.",
    "RESEND_WEBHOOK_SECRET": "Resend: Webhooks; it begins with whsec_.",
    "SUPABASE_HOOK_SECRET": "Supabase: Authentication, Hooks, Send Email; it begins with v1,whsec_.",
    "EXPORT_URL": "A folder, or s3://bucket/folder: where Parquet files go; see docs/export.md.",
    "DBT_DATABASE_URL": "The warehouse as the role pipeline_reader; see docs/dbt.md.",
    "BASE_CURRENCY": "The code of a currency, as EUR.",
    "DATABASE_URL": "postgresql://user:password@host/database.",
}


FLAGS = ("enable_gumroad", "enable_whop", "enable_kdp", "enable_email", "streams")
"""What a running process can be told by ``.env``, which wins for these."""


LEAST_RATE = 0.001
"""A request every few hours or days: less is a slip, and what divides by it would wait for ever."""


class Settings(BaseSettings):
    """The variables of the contract, typed. Times are in the unit the name says; rates are per token."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    dagster_home: Path | None = None
    database_url: SecretStr | None = None
    dagster_postgres_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    upstash_redis_rest_url: str | None = None
    upstash_redis_rest_token: SecretStr | None = None

    gumroad_client_id: str | None = None
    gumroad_client_secret: SecretStr | None = None
    gumroad_redirect_uri: str | None = None
    gumroad_access_token: SecretStr | None = None
    gumroad_webhook_secret: SecretStr | None = None
    whop_api_key: SecretStr | None = None
    whop_webhook_secret: SecretStr | None = None
    whop_account_id: str | None = None
    whop_tiers: str | None = None
    whop_past_due_access: bool = True
    resend_api_key: SecretStr | None = None
    from_email: str | None = None
    resend_webhook_secret: SecretStr | None = None
    ops_email: str | None = None
    alert_urls: SecretStr | None = None
    supabase_hook_secret: SecretStr | None = None
    app_secret_keys: SecretStr | None = None
    sentry_dsn: SecretStr | None = None
    heartbeat_url: SecretStr | None = None

    kdp_inbox: str | None = None
    export_url: str | None = None
    dbt_target: Literal["postgres", "duckdb"] | None = None
    dbt_database_url: SecretStr | None = None
    dbt_duckdb_path: str | None = None
    fx_url: str | None = None
    works_file: str | None = None
    base_currency: str | None = None
    public_url: str = "http://127.0.0.1:8088"
    auth_confirm_url: str | None = None
    auth_redirect_origins: str | None = None
    dagster_url: str = "http://127.0.0.1:3000"
    pipeline_start_date: date = Field(default=date(2024, 1, 1), ge=date(2000, 1, 1))

    gumroad_api_url: str = "https://api.gumroad.com"
    gumroad_authorize_url: str = "https://gumroad.com/oauth/authorize"
    whop_api_url: str = "https://api.whop.com/api/v1"
    resend_api_url: str = "https://api.resend.com"

    gumroad_requests_per_minute: float = Field(default=120, ge=LEAST_RATE, allow_inf_nan=False)
    whop_requests_per_minute: float = Field(default=600, ge=LEAST_RATE, allow_inf_nan=False)
    resend_requests_per_second: float = Field(default=2, ge=LEAST_RATE, allow_inf_nan=False)
    fork_runs: bool = True
    webhook_wait_seconds: float = Field(default=8, ge=0, le=15, allow_inf_nan=False)

    keep_webhooks_days: int = Field(default=90, ge=0)
    keep_jobs_days: int = Field(default=90, ge=0)
    keep_mails_days: int = Field(default=400, ge=0)
    keep_mail_bodies_days: int = Field(default=30, ge=0)
    keep_sign_in_bodies_days: int = Field(default=2, ge=0)
    keep_health_days: int = Field(default=90, ge=0)
    keep_buyers_days: int = Field(default=0, ge=0)
    keep_run_output_days: int = Field(default=30, ge=0)
    keep_runs_days: int = Field(default=30, ge=0)

    enable_gumroad: bool = True
    enable_whop: bool = True
    enable_kdp: bool = True
    enable_email: bool = True
    streams: str = "all"
    asset_key_prefix: str | None = Field(default=None, pattern=r"^\w+(/\w+)*$")
    docs_url: str | None = None
    source_url: str | None = None

    @field_validator(
        "public_url",
        "dagster_url",
        "gumroad_api_url",
        "gumroad_authorize_url",
        "whop_api_url",
        "resend_api_url",
        "auth_confirm_url",
        "fx_url",
        "docs_url",
        "source_url",
    )
    @classmethod
    def _no_trailing_slash(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        parts = urlsplit(value)
        # The port is read when it is asked for.
        if not parts.hostname or parts.port == 0:
            raise ValueError("has no host")
        return value.rstrip("/")

    @field_validator("keep_webhooks_days", "keep_mails_days")
    @classmethod
    def _long_enough(cls, value: int) -> int:
        # Whop can replay a delivery of the last thirty days; a mail's link to turn it off must work as long.
        if 0 < value < 31:
            raise ValueError("must be 31 or more, or 0 to keep all")
        return value

    @field_validator("keep_runs_days")
    @classmethod
    def _a_week(cls, value: int) -> int:
        # A run may be tried again, told of by mail or looked at for days after it ended.
        if 0 < value < 7:
            raise ValueError("must be 7 or more, or 0 to keep all")
        return value

    @property
    def home(self) -> Path:
        """Where embedded state lives: ``DAGSTER_HOME``, else ``./.data``."""
        return (self.dagster_home or Path(".data")).absolute()

    @property
    def warehouse_url(self) -> str:
        """SQLAlchemy URL of the warehouse; a SQLite file under :attr:`home` by default."""
        if self.database_url is None:
            return f"sqlite:///{self.home / 'warehouse.sqlite'}"
        return self.database_url.get_secret_value()

    @property
    def inbox(self) -> str:
        """Directory, or fsspec URL, that is watched for KDP uploads."""
        return self.kdp_inbox or str(self.home / "kdp_inbox")

    @property
    def key_prefix(self) -> tuple[str, ...]:
        """The words before each asset key."""
        return tuple(self.asset_key_prefix.split("/")) if self.asset_key_prefix else ()

    def shared_name(self, name: str) -> str:
        """A name that all code locations of Dagster's instance share, as dynamic partitions' are."""
        return "_".join((*self.key_prefix, name))

    @property
    def ops_addresses(self) -> list[str]:
        """Who is told of failures: the usable addresses of ``OPS_EMAIL``. The doctor names the others."""
        return addresses.split(self.ops_email or "").usable

    def require(self, name: str) -> str:
        """The value of variable ``name`` (as written in the environment).

        Raises:
            ConfigError: it is not set; says where to get it.
        """
        value = getattr(self, name.lower())
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if not text:
            raise ConfigError(f"{name} is not set.", hint=WHERE_TO_GET.get(name, ""))
        return str(text)

    def secret_values(self) -> list[str]:
        """Every secret that is set, and what is secret by itself in one: a key of a list, the password of a URL."""
        values = (getattr(self, name) for name in type(self).model_fields)
        found = dict[str, None]()
        for value in (each.get_secret_value() for each in values if isinstance(each, SecretStr)):
            found |= dict.fromkeys([value, *value.split(","), *secrets.passwords(value)])
        if self.alert_urls is not None:
            found |= dict.fromkeys(secrets.url_parts(self.alert_urls.get_secret_value()))
        # Short ones are no secrets, and would black out words of a message.
        return [each for each in found if len(each) >= 8]

    def enabled(self, source: str) -> bool:
        """Whether the feature flag of a platform, or of ``email``, is on; it is where it is not set."""
        flag = self.variable(f"ENABLE_{source.upper()}")
        return flag.strip().lower() not in {"0", "false", "no", "off", "f", "n"}

    def stream_on(self, asset: str) -> bool:
        """Whether ``STREAMS`` has a table: it says ``all``, or names it by its asset's key."""
        return not {"all", asset}.isdisjoint(self.stream_names)

    @property
    def stream_names(self) -> list[str]:
        """The words of ``STREAMS``."""
        return self.streams.replace(",", " ").split()

    def variable(self, name: str) -> str:
        """The value of a variable as text, empty where it is not set; of a platform's that has no field here, too."""
        if name.lower() not in type(self).model_fields:
            return os.environ.get(name, "")
        value = getattr(self, name.lower())
        return str(value.get_secret_value() if isinstance(value, SecretStr) else "" if value is None else value)


def load() -> Settings:
    """Settings of this moment; flags and keys changed in the environment count at the next call.

    Raises:
        ConfigError: a variable has a value that can't be read.
    """
    # Dagster puts .env into the environment when it starts: without this a flag could not be changed while it runs.
    try:
        given = frozenset(one for one in os.environ.items() if one[0].lower() in Settings.model_fields)
        return _load(given, env_file.read())
    except UnicodeDecodeError:
        raise _not_utf8() from None
    except ValidationError as error:
        parts = [f"{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors()]
        raise ConfigError(f"The environment can't be read. {'; '.join(parts)}.", hint="See .env.example.") from None


# 3 ms each time, by the fields' types; a request, a tick and a run ask several times.
@lru_cache(maxsize=4)
def _load(environment: frozenset[tuple[str, str]], written: frozenset[tuple[str, str | None]]) -> Settings:
    del environment  # a part of the cache's key: read by the class itself
    flags = {name: value for name in FLAGS if (value := dict(written).get(name.upper()))}
    return Settings(**flags)  # pyright: ignore[reportArgumentType] - read as in the environment


def load_env_file() -> None:
    """Put ``.env`` of the working directory into the environment, as Dagster's own commands do; what is set wins.

    Dagster reads ``DAGSTER_HOME`` from the environment only. An empty value is none, here and there.

    Raises:
        ConfigError: the file isn't UTF-8.
    """
    try:
        written = dict(env_file.read())
    except UnicodeDecodeError:
        raise _not_utf8() from None
    os.environ.update({name: value for name, value in written.items() if value and not os.environ.get(name)})


def handed_on(others: Iterable[str] = ()) -> list[str]:
    """Names of the variables that a run elsewhere needs of this environment; of ``others`` NAME=VALUE stays."""
    names = [name.upper() for name in Settings.model_fields if name != "dagster_home"]  # its home is its own
    return [name for name in (*names, *others) if "=" in name or os.environ.get(name)]


def _not_utf8() -> ConfigError:
    return ConfigError(".env can't be read: it is not UTF-8 text.", hint="Save it as UTF-8; see .env.example.")
