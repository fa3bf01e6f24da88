"""Names that all code locations of a Dagster instance share: keys of assets, and names of dynamic partitions.

``ASSET_KEY_PREFIX`` begins all of them, so that a second installation, or somebody's own assets, keep their names. It
is read once in a process: keys are made when modules are imported.
"""

from __future__ import annotations

import dagster as dg

from creator_pipeline import settings

PREFIX = settings.load().key_prefix
"""Words before each key."""
INSTALLATION_TAG = "creator_pipeline/installation"
INSTALLATION = "/".join(PREFIX)


def asset_key(*path: str) -> dg.AssetKey:
    """The key of an asset of the pipeline.

    Args:
        path: its words, without the prefix.
    """
    return dg.AssetKey([*PREFIX, *path])


def named_key(name: str) -> dg.AssetKey:
    """The key of an asset by its name.

    Args:
        name: as ``gumroad/sales``.
    """
    return asset_key(*name.split("/"))


def path_of(key: dg.AssetKey) -> tuple[str, ...]:
    """The words of a key without the prefix; none where the asset isn't of this pipeline.

    Args:
        key: of any asset of the instance.
    """
    path, count = tuple(key.path), len(PREFIX)
    return path[count:] if path[:count] == PREFIX else ()


def is_own(run: dg.DagsterRun) -> bool:
    """Whether a run can be of this pipeline, and is not of another installation in the same instance of Dagster.

    Args:
        run: of any code location.
    """
    if run.asset_selection:
        return any(path_of(key) for key in run.asset_selection)
    return run.tags.get(INSTALLATION_TAG, INSTALLATION) == INSTALLATION


def own_tags() -> dict[str, str]:
    """Tags of the jobs, by which runs of two installations differ; none where there is no prefix."""
    return {INSTALLATION_TAG: INSTALLATION} if INSTALLATION else {}
