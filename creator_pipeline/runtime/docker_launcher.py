"""Each run a container of its own: dagster-docker's launcher, which hands on the settings that are set here.

dagster-docker's own takes a list of names, and refuses to launch where one of them isn't set. Needs the
extra ``docker``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dagster_docker import DockerRunLauncher  # pyright: ignore[reportMissingImports] - an extra

from creator_pipeline import settings


class SettingsDockerRunLauncher(DockerRunLauncher):  # pyright: ignore[reportUntypedBaseClass] - an extra
    """The ``run_launcher`` of ``dagster.yaml``; its configuration is dagster-docker's.

    ``env_vars`` holds what goes beyond the settings: a name counts where it is set, and NAME=VALUE always.
    """

    def __init__(self, *args: Any, env_vars: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, env_vars=settings.handed_on(env_vars or ()), **kwargs)
