"""Who is counted together, and who is let through."""

from __future__ import annotations

from dataclasses import replace

import pytest

from creator_pipeline.gateway import limits
from creator_pipeline.gateway.limits import network_of
from creator_pipeline_tests.support.gateway import Gateway, signed, whop_event
from creator_pipeline_tests.support.paths import ROOT


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("local", "local"),
    ],
)
def test_an_ipv6_network_is_one_caller(address: str, counted: str):
    """Guards: a limit that whoever has an IPv6 line walks around with 2^64 addresses."""
    assert network_of(address) == counted


def test_a_good_key_passes_a_total_that_strangers_have_used_up(shared: Gateway, monkeypatch: pytest.MonkeyPatch):
    """Guards: a seller locked out by whoever asks from enough addresses."""
    rules = tuple(replace(rule, api="1/hour", shared=False) for rule in limits.RULES)
    monkeypatch.setattr(limits, "RULES", rules)
    key, body = shared.key("alice"), whop_event()
    for _ in range(2):
        shared.http.get("/jobs/x")
        shared.http.get("/docs")
        shared.whop(body, {})
    assert shared.http.get("/jobs/x").status_code == 429
    assert shared.http.get("/jobs/x", headers={"Authorization": "Bearer cpk_wrong"}).status_code == 429
    assert shared.http.get("/docs").status_code == 429
    assert shared.whop(body, {}).status_code == 429
    assert shared.http.get("/jobs/x", headers=key).status_code in {404, 429}
    job = shared.services.queue.enqueue("alice", "kdp", "file", {})
    assert shared.http.get(f"/jobs/{job}", headers=key).status_code == 200
    assert shared.whop(body, signed(body, "msg_crowded")).status_code == 202
    assert shared.http.post("/uploads/kdp", files={"file": ("a", b"%PDF-")}, headers=key).status_code == 415


def test_strangers_are_not_told_details_through_a_proxy(shared: Gateway):
    """Guards: sales figures of a day, and what is broken, for whoever guesses an address."""
    handed_on = {"X-Forwarded-For": "203.0.113.7"}
    assert shared.http.get("/metrics").status_code == 200
    assert shared.http.get("/metrics", headers=handed_on).status_code == 404
    assert "queue" in shared.http.get("/readyz").json()
    assert shared.http.get("/readyz", headers=handed_on).json() == {"status": "ready"}


def test_what_is_shipped_believes_forwarded_headers_of_its_own_proxy_only():
    """Guards: limits that every stranger walks around by inventing addresses."""
    for path in (ROOT / "deploy").rglob("*"):
        if path.is_file():
            told = [line for line in path.read_text(encoding="utf-8").splitlines() if "FORWARDED_ALLOW_IPS" in line]
            assert not [line for line in told if "*" in line], path
    assert "/metrics" in (ROOT / "deploy" / "Caddyfile").read_text(encoding="utf-8")
    assert "path: /metrics" not in (ROOT / "deploy" / "kubernetes" / "gateway.yaml").read_text(encoding="utf-8")
