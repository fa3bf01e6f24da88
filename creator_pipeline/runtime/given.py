"""Settings that a project's own files say, for this process and those that it starts."""

from __future__ import annotations

import os
from collections.abc import Mapping

from creator_pipeline.core.errors import ConfigError

_given: dict[str, str] = {}


def give(values: Mapping[str, str], *, else_: Mapping[str, str] | None = None) -> None:
    """Set variables of the environment.

    Args:
        values: name to value; they win over what is set.
        else_: the same, for those that are not set.

    Raises:
        ConfigError: this process was given another value of one before: all that it does goes by the one that is set.
    """
    for name, value in values.items():
        if _given.get(name, value) != value:
            raise ConfigError(
                f"{name} has two values in one code location.",
                hint="A code location has one component creator_pipeline.dagster.CreatorLedgerComponent, and one "
                "warehouse: put the second into a code location of its own.",
            )
    _given.update(values)
    os.environ.update(values)
    for name, value in (else_ or {}).items():
        if not os.environ.get(name):
            os.environ[name] = value
