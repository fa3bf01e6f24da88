"""A request to a monitor outside, at each tick of ``pipeline_health``: when none comes, the daemon is down.

What runs here can't tell that nothing runs here. The monitor (healthchecks.io, Cronitor, Uptime Kuma and the like)
alarms when it has heard nothing for some minutes.
"""

from __future__ import annotations

import logging

import httpx

from creator_pipeline.core.secrets import redact
from creator_pipeline.settings import Settings

SECONDS = 5.0
_log = logging.getLogger(__name__)


def send(config: Settings) -> bool:
    """Ask ``HEARTBEAT_URL``, where it is set; whether it answered well. A monitor that is down hurts nothing here."""
    if config.heartbeat_url is None:
        return False
    url = config.heartbeat_url.get_secret_value()
    try:
        httpx.get(url, timeout=SECONDS).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        _log.warning("The monitor at HEARTBEAT_URL was not reached: %s", redact(str(error), [url]))
        return False
    return True
