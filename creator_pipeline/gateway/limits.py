"""How much each route takes: bytes, seconds, requests. The table, and the counting."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address

from creator_pipeline.core.errors import TransientError
from creator_pipeline.gateway.errors import GatewayError, too_many
from creator_pipeline.gateway.lanes import Lane
from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.queue.limits import Limits

MIB = 1 << 20
FORM_OVERHEAD = 64 * 1024
"""Bytes of a multipart body beside the file itself."""
_LARGEST_UPLOAD = max((part.uploads.get().max_bytes for part in PLATFORMS if part.uploads), default=MIB)


@dataclass(frozen=True, slots=True)
class Rule:
    """What the paths that begin with ``prefix`` take.

    Attributes:
        caller, api: requests of one address, and of all, in the words of :mod:`creator_pipeline.queue.limits`. Whoever
            has a good key, cookie or link is let through past the second one.
        signed: who asks shows something that is checked without work for others: a signature, a signed word.
        shared: counted over all processes through Redis; else by this process without leaving it.
        body_bytes: largest body.
        body_seconds: for the whole body, from the first byte asked for.
    """

    prefix: str
    caller: str
    api: str
    shared: bool = True
    signed: bool = False
    body_bytes: int = 64 * 1024
    body_seconds: float = 15.0

    @property
    def name(self) -> str:
        """Names the counters."""
        return self.prefix.strip("/").replace("/", "-") or "other"


RULES = (
    # A platform sends all its deliveries from few addresses, and not every one repeats what was answered 429: only a
    # flood may meet this limit. A round trip to Redis for each would cost more than it protects.
    Rule("/webhooks/", "5000/second", "10000/second", shared=False, signed=True, body_bytes=MIB),
    Rule("/uploads/", "60/minute", "600/minute", body_bytes=_LARGEST_UPLOAD + FORM_OVERHEAD, body_seconds=300.0),
    Rule("/jobs/", "600/minute", "6000/minute"),
    Rule("/oauth/", "60/minute", "600/minute", signed=True),
    Rule("/api/", "60/minute", "600/minute", signed=True),
    Rule("/me/", "240/minute", "3000/minute", signed=True),
    Rule("/unsubscribe/", "120/minute", "3000/minute", signed=True),
    # A load balancer that is told 429 takes the gateway out, and it costs nothing.
    Rule("/healthz", "6000/minute", "600000/minute", shared=False),
    Rule("/", "1200/minute", "12000/minute", shared=False),
)
REFUSED = "600/minute"
"""Wrong secrets, keys and signatures of one address. They are too long to be guessed; this keeps the noise down."""


def rule_for(path: str) -> Rule:
    """The rule of a path."""
    return next(rule for rule in RULES if path.startswith(rule.prefix))


def network_of(address: str) -> str:
    """Who is counted: an IPv4 address, or the /64 of an IPv6 address: whoever has one address there has them all."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    return str(parsed.ipv4_mapped or IPv6Network((parsed, 64), strict=False))


class Gate:
    """Counts requests.

    Args:
        shared: counts over all processes; without Redis each process counts for itself.
        lane: threads to ask Redis in.
    """

    def __init__(self, shared: Limits, lane: Lane) -> None:
        self._shared = shared
        self._local = Limits(None)
        self._lane = lane

    async def check(self, rule: Rule, caller: str) -> float:
        """Count one request; returns the seconds until one more of all together is allowed, 0 where one is now.

        Args:
            rule: of the path.
            caller: from :func:`network_of`.

        Raises:
            GatewayError: 429, this caller sent too many.
        """
        if rule.shared:
            try:
                return await self._lane.run(_hit, self._shared, rule, caller)
            except TransientError:
                pass  # Redis is slow, and the limits are no reason to wait
        return _hit(self._local, rule, caller)

    def refused(self, caller: str) -> None:
        """Count a wrong secret, key or signature.

        Raises:
            GatewayError: 429, after too many.
        """
        allowed, seconds = self._local.hit("refused", caller, REFUSED)
        if not allowed:
            raise too_many(seconds)


def _hit(limits: Limits, rule: Rule, caller: str) -> float:
    allowed, seconds = limits.hit(f"{rule.name}-caller", caller, rule.caller)
    if not allowed:
        raise too_many(seconds)
    allowed, seconds = limits.hit(f"{rule.name}-api", "all", rule.api)
    return 0.0 if allowed else seconds


def too_large(limit: int) -> GatewayError:
    """413; the rest of the body is not read."""
    size = f"{limit // MIB} MiB" if limit >= MIB else f"{limit // 1024} KiB"
    return GatewayError(
        413, "too_large", f"The body is larger than {size}.", "Send less.", headers={"Connection": "close"}
    )
