"""What a profile's id, address and zone may be."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

from creator_pipeline.core import addresses
from creator_pipeline.core.errors import ConfigError, DataError

PROFILE_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\Z")


def check_profile_id(profile_id: str) -> str:
    """The id itself.

    Raises:
        ConfigError: it would not be safe in a partition key, a folder's name or a URL.
    """
    if not PROFILE_ID.match(profile_id):
        raise ConfigError(
            f"{profile_id!r} can't be a profile's id.",
            hint="Use up to 63 lower-case letters, digits, - and _, beginning with a letter or digit.",
        )
    return profile_id


def check_email(profile_id: str, email: str) -> str:
    """The one address of ``email``, without the name beside it.

    Args:
        profile_id: whose it is, for the error.
        email: ``name@example.com`` or ``Name <name@example.com>``.

    Raises:
        ConfigError: it is not one address.
    """
    try:
        return addresses.check(email)
    except DataError:
        hint = "One address, as name@example.com or Name <name@example.com>."
        raise ConfigError(f"The e-mail address of {profile_id} can't be used.", hint=hint) from None


def check_timezone(name: str) -> str:
    """The IANA zone's name itself.

    Raises:
        ConfigError: there is no such zone.
    """
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ConfigError(f"{name!r} is no time zone.", hint="Use an IANA name such as America/Los_Angeles.") from None
    return name
