"""What commands need: the warehouse, the keys, the instance of Dagster."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from creator_pipeline import settings
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.runtime.home import ensure_home
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline.store.token_keys import installation_ring

if TYPE_CHECKING:
    import dagster as dg


def warehouse() -> Warehouse:
    """The warehouse of ``DATABASE_URL``."""
    return open_warehouse(settings.load().warehouse_url)


def key_ring() -> KeyRing:
    """The keys of this installation."""
    return installation_ring(settings.load())


def instance() -> dg.DagsterInstance:
    """Dagster's instance of ``DAGSTER_HOME``, made at ``./.data`` when nothing is set.

    Raises:
        ConfigError: its storage can't be reached.
    """
    ensure_home()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import dagster as dg
        from sqlalchemy.exc import OperationalError

        from creator_pipeline.runtime.run_logs import RunLines

        # The command itself says what its run did, on the output that its caller reads.
        RunLines.muted = True
        try:
            return dg.DagsterInstance.get()
        except OperationalError as error:
            cause = str(error.orig).strip().splitlines()[0]
            raise ConfigError(
                f"Dagster's storage can't be reached: {cause}", hint="Check DAGSTER_POSTGRES_URL."
            ) from None
