"""The pipeline as a component of somebody's own Dagster project: see docs/component.md.

Dagster's ``dg`` finds it by the entry point ``dagster_dg_cli.registry_modules``. Nothing else is imported until the
component is built, so that ``dg list components`` stays fast.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Optional

import dagster as dg
from dagster.components.resolved.model import Resolver

from creator_pipeline.core.errors import ConfigError

# Dagster reads the annotations of the attributes, so this module has no "from __future__ import annotations".
OTHERS_RUNS = {"KEEP_RUNS_DAYS": "0", "KEEP_RUN_OUTPUT_DAYS": "0"}
"""An instance that is shared has runs of others: the job ``retention`` leaves all of them, unless it is told to."""


def _told(description: str, **more: Any) -> Any:
    """What ``dg`` shows of an attribute."""
    return Resolver.default(description=description, **more)


@dataclass
class CreatorLedgerComponent(dg.Component, dg.Resolvable):
    """Sales, payouts and subscriptions of creators' platforms in one ledger, all that belongs to it in Dagster."""

    platforms: Annotated[
        Sequence[str] | None, _told("Names of those whose assets this code location has; all where it is left out.")
    ] = None
    warehouse: Annotated[
        str | None, _told("SQLAlchemy URL of the database; the variable DATABASE_URL where it is left out.")
    ] = None
    key_prefix: Annotated[
        str | None,
        _told(
            "Begins each asset key and the names of the dynamic partitions: creators, or team/creators. The variable "
            "ASSET_KEY_PREFIX where it is left out."
        ),
    ] = None
    schedules: Annotated[
        bool, _told("Whether the schedules are on from the start; they can be switched in the UI.")
    ] = False
    sensors: Annotated[
        bool, _told("The same of the sensors. Without them no webhook is worked off and no mail is sent.")
    ] = True
    owners: Annotated[Sequence[str] | None, _told("Of each asset: team:data, or an e-mail address.")] = None
    automation_condition: Annotated[
        dg.AutomationCondition[Any] | None,
        _told(
            "Of the assets that are made of the ledger. What reads a platform is asked for by schedules, sensors and "
            "webhooks only.",
            # Dagster makes a pydantic model of it, which wants the older form of a type.
            model_field_type=Optional[str],  # noqa: UP045
        ),
    ] = None

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """What ``dg list components`` says of it."""
        return dg.ComponentTypeSpec(
            description="Creators' sales, payouts and subscriptions in one ledger.",
            owners=["team:data"],
            produces=["asset", "asset_check", "job", "schedule", "sensor", "resource"],
        )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002 - Dagster's own
        """The definitions.

        Raises:
            ConfigError: an attribute names what isn't there, or differs from what this process has begun with.
        """
        from creator_pipeline import settings
        from creator_pipeline.runtime.given import give

        told = {"DATABASE_URL": self.warehouse, "ASSET_KEY_PREFIX": self.key_prefix}
        give({name: value for name, value in told.items() if value}, else_=OTHERS_RUNS)

        from creator_pipeline.runtime import keys

        if settings.load().key_prefix != keys.PREFIX:
            raise ConfigError(
                f"The keys of this process begin with {keys.INSTALLATION or 'no prefix'} already.",
                hint=f"Set ASSET_KEY_PREFIX={self.key_prefix} in its environment.",
            )
        from creator_pipeline.platforms import PLATFORMS

        wanted = list(self.platforms) if self.platforms is not None else [one.name for one in PLATFORMS]
        if unknown := set(wanted) - {one.name for one in PLATFORMS}:
            there = ", ".join(one.name for one in PLATFORMS)
            raise ConfigError(f"No platform is called {', '.join(sorted(unknown))}.", hint=f"There are: {there}.")
        from creator_pipeline.definitions import build

        built = build([one for one in PLATFORMS if one.name in wanted])
        return self._as_told(built)

    def _as_told(self, built: dg.Definitions) -> dg.Definitions:
        from creator_pipeline.runtime.dagster_internals import with_default_status

        mapped = built.map_asset_specs(func=self._spec)
        return dg.Definitions(
            assets=mapped.assets,
            asset_checks=mapped.asset_checks,
            jobs=mapped.jobs,
            schedules=[with_default_status(one, running=self.schedules) for one in mapped.schedules or ()],
            sensors=[with_default_status(one, running=self.sensors) for one in mapped.sensors or ()],
            resources=mapped.resources,
            # No executor: that of the code location is its owner's. The pipeline's jobs name theirs.
            metadata={f"creator_pipeline_{name}": value for name, value in mapped.metadata.items()},
        )

    def _spec(self, spec: dg.AssetSpec) -> dg.AssetSpec:
        from creator_pipeline.orchestration.external import BANK

        told: dict[str, Any] = {}
        if self.owners is not None and spec.owners:
            told["owners"] = list(self.owners)
        # Those of the ledger; a partition of a platform is read when its night or its webhook comes.
        made = spec.partitions_def is None and spec.deps and spec.group_name != BANK
        if self.automation_condition is not None and made:
            told["automation_condition"] = self.automation_condition
        return spec.replace_attributes(**told) if told else spec
