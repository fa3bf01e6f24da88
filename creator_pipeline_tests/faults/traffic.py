"""What happens on the platforms and at the gateway in one round, and which of it the gateway accepted."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import uuid4

import httpx

from creator_pipeline.core.windows import today
from creator_pipeline.platforms.kdp.sandbox.reports import InventedReport, prior_month
from creator_pipeline_tests.faults.forked_system import PROFILES
from creator_pipeline_tests.faults.system import System
from creator_pipeline_tests.support.auth_calls import call, sign

TRIES = 60


@dataclass
class Traffic:
    """Of one system, over all its rounds.

    Attributes:
        reports: uploads that were answered with 202, by profile and month.
        auth: keys of calls of the Send Email hook that were answered with 200.
        events: pings that Gumroad had reason to send, by profile.
        repeated: pings that were sent once more by a fault, by profile.
        caught_up: lost deliveries that a later reading of everything made good, by profile.
    """

    system: System
    keys: dict[str, str]
    rng: random.Random
    http: httpx.Client
    reports: dict[tuple[str, date], InventedReport] = field(default_factory=dict)
    auth: list[str] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    caught_up: dict[str, int] = field(default_factory=dict)
    repeated: Counter[str] = field(default_factory=Counter)
    uploads: int = 0

    def sales(self, profile: str | None = None) -> str:
        """Sales, perhaps a refund or a dispute, and something at Whop; returns whose."""
        world, rng = self.system.sandbox.world, self.rng
        name = profile or rng.choice(PROFILES)
        for _ in range(rng.randint(1, 2)):
            sale = world.gumroad.add_sale(name, pings=True, price=rng.randrange(100, 9000))
            self.events[name] += 1
        if rng.random() < 0.4:
            world.gumroad.refund(name, sale.id, rng.choice([None, 50]), pings=True)
            self.events[name] += 1
        elif rng.random() < 0.2:
            world.gumroad.dispute(name, sale.id, pings=True)
            self.events[name] += 1
        if rng.random() < 0.4:
            _, payment = world.whop.buy(name)
            if rng.random() < 0.5:
                world.whop.refund(name, payment["id"])
        return name

    def upload(self, profile: str | None = None, *, tries: int = TRIES) -> None:
        """A report of a month that was not uploaded before, sent until it is accepted or ``tries`` are used up."""
        name = profile or self.rng.choice(PROFILES)
        day = today()
        for _ in range(self.uploads + 1):
            day = day.replace(day=1) - timedelta(days=1)
        self.uploads += 1
        report = prior_month(self.rng.randrange(100), day)
        headers = {"Authorization": f"Bearer {self.keys[name]}"}
        for _ in range(tries):
            try:
                files = {"file": (report.name, report.content)}
                answer = self.http.post(f"{self.system.gateway_url}/uploads/kdp", files=files, headers=headers)
            except httpx.TransportError:
                self.pause()
                continue
            if answer.status_code == 202:
                self.reports[name, report.month] = report
                return
            if answer.status_code < 500:
                raise AssertionError(f"an upload was refused: {answer.status_code} {answer.text}")
            self.pause()

    def auth_mail(self, *, tries: int = TRIES) -> None:
        """A password reset through the Send Email hook: a mail that somebody waits for."""
        key = str(uuid4())
        body = call("password_changed_notification", metadata={"uuid": key, "time": "2026-11-23T20:05:00.1Z"})
        secret = self.system.secrets["SUPABASE_HOOK_SECRET"]
        for number in range(tries):
            try:
                headers = {**sign(body, secret, webhook_id=f"{key}-{number}"), "content-type": "application/json"}
                answer = self.http.post(f"{self.system.gateway_url}/webhooks/auth", content=body, headers=headers)
            except httpx.TransportError:
                self.pause()
                continue
            if answer.status_code == 200:
                self.auth.append(key)
                return
            if answer.status_code == 401:
                # The clocks are too far apart for a signature: refused, and so not accepted.
                return
            if answer.status_code < 500:
                raise AssertionError(f"a call was refused: {answer.status_code} {answer.text}")
            self.pause()

    def pause(self) -> None:
        """Between two tries."""
        time.sleep(0.1)

    def behind(self) -> list[str]:
        """Profiles that lost a delivery since they were last read whole: only reading everything again helps them."""
        return [name for name in PROFILES if self.lost(name) > self.caught_up.get(name, 0)]

    def lost(self, name: str) -> int:
        """Events of a profile whose ping or delivery was not accepted."""
        whop = self.system.sandbox.webhooks
        account = self.system.sandbox.world.whop[name].id.encode()
        accepted = {delivery for delivery, said in whop.log if said == 202}
        open_ = sum(account in whop.deliveries[key].body for key in whop.deliveries.keys() - accepted)
        return open_ + max(0, self.events[name] + self.repeated[name] - self.pings_accepted(name))

    def pings_accepted(self, name: str) -> int:
        """Pings of a profile that were answered with 202."""
        return sum(said == 202 and f"/{name}." in url for url, said in self.system.sandbox.pings.log)
