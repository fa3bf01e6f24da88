"""The folder of an installation: ``DAGSTER_HOME``, with Dagster's settings in it."""

from __future__ import annotations

import os
from pathlib import Path

from creator_pipeline import settings


def dagster_yaml() -> Path | None:
    """Dagster's settings: the project's, in its root, else those that came with the package."""
    places = (Path("dagster.yaml").absolute(), Path(settings.__file__).with_name("dagster.yaml"))
    return next((place for place in places if place.is_file()), None)


def ensure_home() -> Path:
    """Make ``DAGSTER_HOME`` exist, name it in the environment, and put Dagster's settings into it."""
    home = settings.load().home
    home.mkdir(parents=True, exist_ok=True)
    os.environ["DAGSTER_HOME"] = str(home)
    target, source = home / "dagster.yaml", dagster_yaml()
    if source is not None and source != target and not target.exists():
        target.symlink_to(source)
    return home
