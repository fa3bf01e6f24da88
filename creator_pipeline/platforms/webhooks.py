"""What a platform sends to the gateway, and whose it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from creator_pipeline.settings import Settings


class Account(NamedTuple):
    """A row of ``platform_connections``; the token is still encrypted."""

    provider: str
    profile_id: str
    external_account_id: str | None
    status: str
    access_token: str | None = None
    scopes: str | None = None
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A verified webhook, cut down to what is needed to read again.

    Attributes:
        provider: whose route it came by.
        payload: JSON-able; ids, the platform's word and time; no personal data.
        profile_id: told by the address it was sent to.
        account_id: told by the body, so a hint only.
        work: whether anything follows from it.
        alike: another event may come with the same id; it is a repeat, but is worked on as well.
    """

    provider: str
    delivery_id: str
    event_type: str | None
    payload: Mapping[str, Any]
    profile_id: str | None = None
    account_id: str | None = None
    work: bool = True
    alike: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Once per provider and delivery id."""
        return self.provider, self.delivery_id


class RefusedDelivery(Exception):  # noqa: N818 - the answer of a route, not a failure of ours
    """A webhook that isn't the platform's.

    Args:
        status: 401 for a wrong signature, 404 for a wrong address.
        variable: the secret it was compared with; empty where the answer must not tell.
    """

    def __init__(self, status: int, variable: str = "") -> None:
        super().__init__(status)
        self.status, self.variable = status, variable


@dataclass(frozen=True, slots=True)
class Webhooks:
    """What the platform sends to the gateway.

    Attributes:
        path: of the route, as FastAPI writes it: ``/webhooks/NAME/{secret}``.
        content_type: of the bodies.
        needs: the variable without which every delivery is refused.
        description: of the route, for OpenAPI.
        read: (settings, path parameters, headers with lower-case names, raw body) to a delivery; raises
            RefusedDelivery. Reads nothing but its arguments.
        owners: (delivery, the platform's accounts, settings) to the connections that it may be about. More than one
            only costs requests.
        signed_test: (settings) to path, headers and body of a delivery about nothing and of the same with a wrong
            signature, for ``smoke``; to None while ``needs`` is not set. None where deliveries are not signed.
        address: (settings, profile id) to the address of one profile's deliveries; raises ConfigError while ``needs``
            is not set. None where all profiles share ``path``.
        register: (settings, profile id, token) has the platform send an account's events to that address, and returns
            how many kinds it sends; raises PipelineError. None where a person registers it at the platform.
    """

    path: str
    content_type: str
    needs: str
    description: str
    read: Callable[[Settings, Mapping[str, str], Mapping[str, str], bytes], Delivery]
    owners: Callable[[Delivery, Sequence[Account], Settings], Sequence[Account]]
    signed_test: Callable[[Settings], SignedTest | None] | None = None
    address: Callable[[Settings, str], str] | None = None
    register: Callable[[Settings, str, str], int] | None = None

    def address_of(self, config: Settings, profile_id: str) -> str:
        """Where the platform sends the events of one profile's account.

        Raises:
            ConfigError: ``needs`` is not set.
        """
        return self.address(config, profile_id) if self.address else f"{config.public_url}{self.path}"

    @property
    def refusals(self) -> tuple[int, ...]:
        """Statuses of a refusal, for OpenAPI."""
        return (404, 413) if "{" in self.path else (401, 413)


class SignedTest(NamedTuple):
    """A delivery about nothing, for ``smoke``."""

    path: str
    body: bytes
    headers: Mapping[str, str]
    forged: Mapping[str, str]
