"""Resources: the warehouse, and what the platforms' resources have in common. Settings are read when used, so flags
act at once."""

from __future__ import annotations

import dagster as dg

from creator_pipeline import settings
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.runtime import liveness
from creator_pipeline.runtime.dagster_internals import end_waits_when_stopped
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline.store.source import Source
from creator_pipeline.store.token_keys import installation_ring


def require_enabled(config: Settings, source: Source) -> None:
    """Refuse to work while a platform's feature flag is off.

    Raises:
        ConfigError: names the variable.
    """
    if not config.enabled(source.name):
        raise ConfigError(
            f"ENABLE_{source.name.upper()} is off: nothing is read from {source.name}.",
            hint="What arrives meanwhile is kept. Set it to true to go on.",
        )


class WarehouseResource(dg.ConfigurableResource):  # pyright: ignore[reportMissingTypeArgument] - Dagster's own idiom
    """The warehouse of ``DATABASE_URL``. A run that uses it is marked with its process before its first step."""

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Called by Dagster before the first step of a run, and for each tick of a sensor."""
        if context.run is not None and context.instance is not None:
            end_waits_when_stopped()
            liveness.mark(context.instance, context.run.run_id)

    def open(self) -> Warehouse:
        """Connect and migrate on first use."""
        return open_warehouse(settings.load().warehouse_url)


def opened(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> Warehouse:
    """The warehouse of a step that is made by a factory: those name their resources by key."""
    resource: WarehouseResource = context.resources.warehouse
    return resource.open()


class PlatformResource(dg.ConfigurableResource):  # pyright: ignore[reportMissingTypeArgument] - Dagster's own idiom
    """What the resource of each platform has; the platform adds the way to its client."""

    def source(self) -> Source:
        """The platform.

        Raises:
            NotImplementedError: the platform's resource does not say.
        """
        raise NotImplementedError

    def ring(self) -> KeyRing:
        """The keys that hash buyers' addresses."""
        return installation_ring(settings.load())

    def require_enabled(self) -> None:
        """Refuse while the feature flag is off.

        Raises:
            ConfigError: names the variable.
        """
        require_enabled(settings.load(), self.source())
