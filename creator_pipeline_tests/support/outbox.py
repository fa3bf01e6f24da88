"""Mails for the outbox."""

from __future__ import annotations

from creator_pipeline.mail import functions
from creator_pipeline.mail.outbox import Mail


def notice(key: str, to: str = "alice@example.net", plan: str = "Pro") -> Mail:
    return Mail(key, "subscription_updated", to, {"tier": "pro", "plan_name": plan}, "alice")


def reset(key: str, to: str = "alice@example.net") -> Mail:
    return Mail(key, "password_reset", to, functions.security_values(url="https://app.example.com/r"))
