"""What `make lint` says of secrets and of libraries is true."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import pytest

from creator_pipeline_tests.tools import audit


def test_a_token_in_a_file_is_found_and_what_was_accepted_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a key in an example that was pasted from a terminal; and a scan that is ignored because it always cries."""
    token = secrets.token_urlsafe(32)
    path = tmp_path / "notes.py"
    path.write_text(f'resend_api_key = "re_{token}"\n', encoding="utf-8")
    found = audit.scan([str(path)])
    assert set(found.values()) == {1}
    monkeypatch.setattr(audit, "BASELINE", tmp_path / "baseline")
    audit.accept(found)
    assert audit.known() == set(found)
    assert token not in audit.BASELINE.read_text(encoding="utf-8")
    path.write_text(f'\n\nresend_api_key = "re_{token}"\nother_key = "{secrets.token_urlsafe(32)}"\n', encoding="utf-8")
    again = audit.scan([str(path)])
    assert {again[key] for key in again if key not in audit.known()} == {4}


def test_the_baseline_is_of_files_that_are_there() -> None:
    """Guards: an acceptance that outlives its file and waits for the next secret of that name."""
    assert {path for path, _, _ in audit.known()} <= set(audit.tracked())


HOLE = {"id": "CVE-2026-1", "fix_versions": ["2.0"]}


@pytest.mark.parametrize(
    ("answer", "clean", "words"),
    [
        ("", True, "SKIPPED"),
        ("<html>proxy</html>", True, "SKIPPED"),
        ([{"name": "a", "skip_reason": "not found"}], True, "SKIPPED"),
        ([{"name": "a", "version": "1.0", "vulns": []}], True, "1 libraries without"),
        ([{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "?"}], True, "unknown to it: b"),
        ([{"name": "a", "version": "1.0", "vulns": [HOLE]}], False, "a 1.0: CVE-2026-1, fixed in 2.0"),
        ([{"name": "a", "version": "1", "vulns": [HOLE]}, {"name": "b", "skip_reason": "?"}], False, "CVE-2026-1"),
    ],
)
def test_an_audit_that_saw_nothing_says_so(answer: object, clean: bool, words: str) -> None:
    """Guards: "no known vulnerabilities found" by a machine that could ask nobody."""
    text = answer if isinstance(answer, str) else json.dumps({"dependencies": answer})
    said = audit.verdict(text, "ConnectionError: no route")
    assert said[0] is clean
    assert words in said[1]
