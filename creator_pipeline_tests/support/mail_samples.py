"""Every mail with invented values, and the files its parts must equal.

``python -m creator_pipeline_tests.support.mail_samples`` writes the files anew; look at them in a browser before you keep them.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import Any

from creator_pipeline.ledger.weekly import Net, Product, Refunds, Week
from creator_pipeline.mail import digest
from creator_pipeline.mail.kinds import KINDS
from creator_pipeline.mail.render import Rendered, render
from creator_pipeline.platforms import sources

FOLDER = Path(__file__).parent / "golden"
_LINK = (
    "https://app.example.com/auth/confirm?token_hash=" + "3f1e" * 14 + "&type={}&next=https%3A%2F%2Fapp.example.com%2F"
)
_WHEN = "23 November 2026, 20:05 UTC"
_RUN = "https://dagster.example.com/runs/5b1f6a1c-9a36-4a1d-9d54-1d0a7a3cf0e2"


_FILES: dict[str, Any] = {
    "source": "Amazon KDP",
    "files": 302,
    "bad": 2,
    "groups": [
        {
            "verdict": "held back",
            "problem": 'Rows 2, 5 and 11 more, column Units Sold: found "many". Expected: a number.',
            "count": 2,
            "names": "KDP_Orders <old>.xlsx, eBook & Royalty.csv",
            "more": 0,
        },
        {"verdict": "taken", "problem": "", "count": 300, "names": "report-1.csv, report-2.csv", "more": 298},
    ],
    "next_step": "Open your page: it names the place in each file.",
    "finished_at": "23 November 2026, 20:05 UTC",
}


def _security(kind: str = "", code: str | None = "482913", **more: Any) -> dict[str, Any]:
    url = _LINK.format(kind) if kind else None
    return {"url": url, "code": code, "ip_address": "203.0.113.7", "requested_at": _WHEN, **more}


def _notice(sentence: str, *facts: tuple[str, str]) -> dict[str, Any]:
    return _security(code=None, sentence=sentence, facts=list(facts))


_FAILED = {
    "job_id": "0d0f8a52c1e94d1f8f5c9a4c1b7d2e33",
    "error_message": "royalties-2026-10.xlsx, sheet Combined Sales, row 214, column Royalty: 'n/a' is not an amount.",
    "source": "Amazon KDP",
    "what": "royalties-2026-10.xlsx",
    "next_step": "Export the report again from KDP and upload it; if it says the same, send us the file.",
    "failed_at": _WHEN,
}
_BACKFILL = {
    "backfill_id": "qkzvmtrl",
    "source": "Gumroad",
    "partitions": 1096,
    "failed": 3,
    "failed_partitions": "2024-02-29|alice, 2025-03-01|alice, 2025-03-02|alice",
    "event_count": 48210,
    "next_step": "Run the same backfill again: it does only what is left.",
    "finished_at": _WHEN,
}

_PROBLEMS = [
    {
        "id": f"late/gumroad/{name}",
        "whose": name,
        "what": f"Gumroad of {name} was not read since 2026-11-22 02:10 UTC: the schedule gumroad_nightly is switched off.",
        "hint": "",
        "since": _WHEN,
        "mended_at": "23 November 2026, 20:31 UTC",
        "told": name == "alice",
        "amount": "12.34 USD" if name == "alice" else "",
        "run_url": _RUN if name == "alice" else "",
    }
    for name in ("alice", "bob")
]

SAMPLES: dict[str, dict[str, Any]] = {
    "signup_confirmation": _security("signup"),
    "password_reset": _security("recovery"),
    "invite": _security("invite"),
    "magic_link": _security("magiclink"),
    "email_change_current": _security("email_change", old_email="ada@example.net", new_email="ada@example.org"),
    "email_change_new": _security("email_change"),
    "reauthentication": _security(),
    "password_changed": _notice("The password of your account was changed."),
    "email_changed": _notice("The e-mail address of your account was changed.", ("New address", "ada@example.org")),
    "phone_changed": _notice("The phone number of your account was changed.", ("Former number", "+1 202 555 0142")),
    "identity_linked": _notice("A sign-in method was added to your account.", ("Method", "google")),
    "identity_unlinked": _notice("A sign-in method was removed from your account.", ("Method", "google")),
    "mfa_enrolled": _notice("A second factor was added to your account.", ("Factor", "totp")),
    "mfa_unenrolled": _notice("A second factor was removed from your account.", ("Factor", "totp")),
    "subscription_updated": {"tier": "pro", "plan_name": "Creator Pro <yearly> & more"},
    "connection_revoked": {
        "platform": "Gumroad",
        "profile_id": "alice",
        "reason": "Gumroad: the token was revoked (HTTP 401).",
        "url": "https://pipeline.example.com/oauth/gumroad/start?profile_id=alice",
        "next_step": "Connect Gumroad again. What was sold in between is read then.",
    },
    "consent_needed": {
        "platform": "Gumroad",
        "what": "your payouts",
        "brings": "Every payout is then explained sale by sale, and fees and refunds are exact to the cent.",
        "url": "https://pipeline.example.com/me/enter/abc",
        "next_step": "Press Connect again beside Gumroad on your page.",
    },
    "ingestion_completed": {
        "job_id": _FAILED["job_id"],
        "event_count": 1234,
        "source": "Gumroad",
        "what": "2026-11-22|alice, 2026-11-23|alice",
        "finished_at": _WHEN,
    },
    "ingestion_failed": _FAILED,
    "ingestion_recovered": {
        "source": "Gumroad",
        "what": "2026-11-23|alice",
        "event_count": 1,
        "failed_since": "21 November 2026, 02:10 UTC",
        "finished_at": _WHEN,
    },
    "files_read": {**_FILES, "bad": 0, "groups": _FILES["groups"][1:], "next_step": ""},
    "files_refused": _FILES,
    "backfill_finished": {**_BACKFILL, "failed": 0, "failed_partitions": "", "event_count": None},
    "backfill_failed": _BACKFILL,
    "weekly_digest": {
        **digest.values(
            Week(
                date(2026, 11, 16),
                [
                    Net("amazon_kdp", "EUR", 0, 0, 212_330_000),
                    Net("gumroad", "USD", 1_234_500_000, 980_000_000, -29_000_000),
                    Net("whop", "EUR", 89_910_000, 0, 0),
                    Net("whop", "JPY", 0, 14_400_000_000, 0),
                ],
                [
                    Product("whop", "Inner circle", "EUR", 89_910_000, 3),
                    Product("gumroad", "Type <Specimen> & Friends: the complete collection", "USD", 800_000_000, 21),
                    Product("gumroad", "Grid", "USD", 434_500_000, 1),
                ],
                [Refunds("gumroad", "USD", 2, 58_000_000)],
            ),
            sources(),
        ),
        "picture_words": "Net revenue of the 90 days to 2026-11-22: Gumroad 9876.50 USD, Whop 89.91 EUR, Whop 14400 JPY.",
    },
    "ops_failure": {
        "title": "Gumroad is not read, 2 profiles: the schedule gumroad_nightly is switched off.",
        "profiles": "alice, bob",
        "problems": _PROBLEMS,
        "next_step": "In the UI under Automation, or: dagster schedule start gumroad_nightly -w workspace.yaml",
        "more": 3,
    },
    "ops_alert_lost": {
        "channel": "slack",
        "title": "Gumroad is not read, 2 profiles: the schedule gumroad_nightly is switched off.",
        "reason": "Its sender was stopped while it was sent.",
        "missing": True,
        "noted_at": _WHEN,
    },
    "ops_test": {"sent_at": _WHEN},
    "ops_mended": {
        "title": _PROBLEMS[0]["what"],
        "profiles": "alice",
        "problems": _PROBLEMS[:1],
        "next_step": "",
        "more": 0,
    },
}


def sample(kind: str) -> Rendered:
    """The mail of ``kind`` with its invented values."""
    links: dict[str, str] = {}
    if KINDS[kind].can_be_turned_off:
        links["unsubscribe_url"] = "https://pipeline.example.com/unsubscribe/eyJ1Ijo.c2lnbmF0dXJl"
        links["page_url"] = "https://pipeline.example.com/me/enter/WyJhbGljZSJd.Z0hRag.c2lnbmF0dXJl"
    return render(kind, SAMPLES[kind], product="Creator Pipeline", greeting="Hello Ada,", **links)


def parts(kind: str) -> dict[Path, str]:
    """What each file must hold; the subject stands above the text part."""
    mail = sample(kind)
    return {FOLDER / f"{kind}.html": mail.html, FOLDER / f"{kind}.txt": f"Subject: {mail.subject}\n\n{mail.text}"}


def main() -> None:
    """Write all files anew."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    for kind in KINDS:
        for path, text in parts(kind).items():
            path.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{len(KINDS)} mails written to {FOLDER.name}/\n")


if __name__ == "__main__":
    main()
