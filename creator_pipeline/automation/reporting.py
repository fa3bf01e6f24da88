"""Errors of this process to Sentry, where SENTRY_DSN is set: the gateway's, the runs', the commands'."""

from __future__ import annotations

import logging

from creator_pipeline import settings
from creator_pipeline.automation.doctor import secret_values
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.logs import report_errors

_log = logging.getLogger(__name__)


def start() -> bool:
    """Begin to report; False where nothing is to be reported, or it can't be (the doctor says why)."""
    try:
        config = settings.load()
        dsn = config.sentry_dsn
        return report_errors(dsn.get_secret_value() if dsn else None, secret_values(config))
    except ConfigError as error:
        # What can't be reported must not keep from working what can be done.
        _log.warning("Errors are not reported: %s", error)
        return False
