"""Signatures of webhooks after Standard Webhooks: a keyed hash over id, timestamp and the raw body."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from standardwebhooks import Webhook

from creator_pipeline.core.errors import RejectedError
from creator_pipeline.core.windows import now

TOLERANCE_SECONDS = 300
"""Both ways. The timestamp is that of the send: verify on receipt, not when the queue gets to it."""


class BadSignatureError(RejectedError):
    """A delivery is not its sender's, is too old, or its headers can't be read."""

    code = "bad_signature"


def verify(
    key: bytes,
    headers: Mapping[str, str],
    body: bytes,
    *,
    prefix: str = "webhook",
    moment: datetime | None = None,
) -> str:
    """Check a delivery's signature; returns the delivery's id.

    A header with several signatures is good if one of them is. They are separated by a space; Supabase has a comma and
    a space.

    Args:
        key: the bytes that sign; not empty.
        headers: names in any case.
        body: the bytes as received: a parsed and rewritten body has another signature.
        prefix: of the three headers; ``svix`` for senders that use Svix.
        moment: the time of receipt; now by default.

    Raises:
        BadSignatureError: anything at all is wrong.
    """
    named = {name.lower(): value for name, value in headers.items()}
    try:
        delivery_id, sent = named[f"{prefix}-id"], int(named[f"{prefix}-timestamp"])
        signatures = re.split(r",?\s+", named[f"{prefix}-signature"])
        expected = Webhook(key).sign(delivery_id, datetime.fromtimestamp(sent, UTC), body.decode())
    except KeyError as error:
        raise BadSignatureError(f"The delivery has no header {error.args[0]}.") from None
    except (ValueError, OverflowError, OSError):
        raise BadSignatureError("The delivery's headers or body can't be read.") from None
    if abs((moment or now()).timestamp() - sent) > TOLERANCE_SECONDS:
        raise BadSignatureError("The delivery's timestamp is more than five minutes off.", hint="Check the clock.")
    if not delivery_id or not any(hmac.compare_digest(expected.encode(), one.encode()) for one in signatures):
        raise BadSignatureError(
            "The delivery's signature doesn't fit.", hint="The secret must be the whole one of this very webhook."
        )
    return delivery_id
