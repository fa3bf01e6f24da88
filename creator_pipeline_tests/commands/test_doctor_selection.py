"""The doctor of an installation with many profiles: what they share is one line, and less can be asked for."""

from __future__ import annotations

from pathlib import Path

from creator_pipeline.commands import doctor
from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.errors import TransientError
from creator_pipeline.monitoring.run_checks import run


def lines(*names: str) -> list[Finding]:
    """Of each profile: its token is good, its webhooks are not registered."""
    found = [Finding("redis", "off", "Not set.", "REDIS_URL=…")]
    for name in names:
        found.append(Finding(f"gumroad {name} token", "ok", "can be decrypted", profile_id=name))
        hint = f"creator-pipeline profiles connect {name}"
        found.append(Finding(f"gumroad {name} webhooks", "no", f"No ping of {name}.", hint, profile_id=name))
    return found


def test_what_profiles_share_is_one_line_with_their_ids() -> None:
    """Incident: 1,400 lines for a hundred profiles, and the one that mattered among them."""
    names = [f"p{number:02}" for number in range(100)]
    shown = doctor.table(lines(*names)).splitlines()
    assert len(shown) <= 8
    assert any(
        "gumroad token" in line and "(100 profiles: p00, p01" in line and "and 90 more" in line for line in shown
    )
    assert shown[-1] == "100 ok, 100 no, 1 off, 0 unknown"


def test_one_profile_is_shown_with_its_id_and_others_keep_their_own_lines() -> None:
    """Guards: a line without the name of whom it is about."""
    assert "alice" in doctor.table(lines("alice"))
    other = Finding("gumroad bob token", "no", "can't be decrypted", profile_id="bob")
    shown = doctor.table([*lines("alice"), other])
    assert "gumroad alice token" in shown
    assert "gumroad bob token" in shown


def test_less_is_shown_when_less_is_asked_for() -> None:
    """Guards: --profile al that shows alice; --only-problems that hides what can't be seen."""
    every = [*lines("alice", "al"), Finding("whop al webhook", "unknown", profile_id="al")]
    assert {one.profile_id for one in doctor.selected(every, ["al"], only_problems=False)} == {"al"}
    assert [one.state for one in doctor.selected(every, [], only_problems=True)] == ["no", "no", "unknown"]
    assert [one.state for one in doctor.selected(every, ["al"], only_problems=True)] == ["no", "unknown"]
    assert doctor.table([]).strip() == "0 ok, 0 no, 0 off, 0 unknown"


def test_an_error_names_the_operation_and_the_path(tmp_path: Path) -> None:
    """Incident: "Permission denied", and of nineteen folders nobody said which."""

    def unreadable() -> list[Finding]:
        (tmp_path / "gone" / "deeper").mkdir()
        return []

    def unreachable() -> list[Finding]:
        error = TransientError("api.example.com can't be reached.", hint="Check the network.")
        error.operation = "GET /v2/user of api.example.com"
        raise error

    disk, api = run([Check("disk", unreadable), Check("api", unreachable)], None)
    assert disk.detail == f"mkdir of {tmp_path}/gone/deeper failed: No such file or directory"
    assert api.detail == "GET /v2/user of api.example.com: api.example.com can't be reached."
