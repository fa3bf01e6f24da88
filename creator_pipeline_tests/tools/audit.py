"""The security part of `make lint`: known holes of the pinned libraries, and secrets that were written into a file.

Neither needs a network. Where the advisories can't be had the audit says SKIPPED, and the rest of lint counts.

    python -m creator_pipeline_tests.tools.audit            exit code 1 where something is found
    python -m creator_pipeline_tests.tools.audit --accept   what the scan finds now is no secret: write the baseline anew
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from creator_pipeline_tests.support.paths import ROOT

BASELINE = ROOT / ".secrets.baseline"
PINS = ROOT / "requirements" / "dev.txt"
"""Holds what requirements/main.txt holds, and the tools."""
ACCEPTED: dict[str, str] = {}
"""Advisories that don't concern us, by id, each with its reason."""
SECONDS = 300


def audit(pins: Path = PINS) -> tuple[bool, str]:
    """Whether the pinned libraries are free of known holes, as far as that can be known here; and what to say."""
    command = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip", "-r", str(pins)]
    command += ["--progress-spinner", "off", "--timeout", "10", "-f", "json"]
    command += [word for name in ACCEPTED for word in ("--ignore-vuln", name)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return True, f"SKIPPED: the advisory service didn't answer within {SECONDS} s."
    return verdict(done.stdout, done.stderr)


def verdict(answer: str, complaint: str) -> tuple[bool, str]:
    """What pip-audit's JSON says; an answer that is none means that its service can't be reached."""
    try:
        found: list[dict[str, Any]] = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (complaint.strip().splitlines() or ["no answer"])[-1]
        return True, f"SKIPPED: the advisory service can't be reached ({last[:200]})."
    holes = [
        f"{each['name']} {each['version']}: {hole['id']}, fixed in {', '.join(hole['fix_versions']) or 'no release'}"
        for each in found
        for hole in each.get("vulns", [])
    ]
    if holes:
        return False, "\n  ".join(["libraries with known holes: raise the pin (make requirements).", *holes])
    unknown = sorted(each["name"] for each in found if "skip_reason" in each)
    if len(unknown) == len(found):
        return True, f"SKIPPED: the advisory service knows none of the {len(found)} libraries; it isn't there."
    rest = f"; {len(unknown)} are unknown to it: {', '.join(unknown)}" if unknown else ""
    return True, f"{len(found) - len(unknown)} libraries without a known hole{rest}."


def scan(paths: Iterable[str]) -> dict[tuple[str, str, str], int]:
    """(file, kind, digest) of what looks like a secret, with its line."""
    from detect_secrets.core.scan import scan_file
    from detect_secrets.settings import default_settings

    with default_settings():
        return {(path, each.type, each.secret_hash): each.line_number for path in paths for each in scan_file(path)}


def tracked() -> list[str]:
    """Files of the repository, also those that are about to be added. Hashes of packages are no secrets."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [name for name in names if not name.startswith("requirements/") and name != BASELINE.name]


def known() -> set[tuple[str, str, str]]:
    """What the baseline says is no secret."""
    results: Mapping[str, list[dict[str, str]]] = json.loads(BASELINE.read_text(encoding="utf-8"))["results"]
    return {(path, each["type"], each["hashed_secret"]) for path, found in results.items() for each in found}


def accept(found: Iterable[tuple[str, str, str]]) -> None:
    """Write the baseline. Without lines: it needn't change because a line was put in above."""
    results: dict[str, list[dict[str, str]]] = {}
    for path, kind, digest in sorted(found):
        results.setdefault(path, []).append({"type": kind, "hashed_secret": digest})
    BASELINE.write_text(json.dumps({"results": results}, indent=1) + "\n", encoding="utf-8")


def main(words: list[str]) -> int:
    """Both; 0 where nothing is to be done."""
    found = scan(tracked())
    if words == ["--accept"]:
        accept(found)
        sys.stdout.write(f"{BASELINE.name}: {len(found)} that are none.\n")
        return 0
    new = {key: line for key, line in found.items() if key not in known()}
    for (path, kind, _), line in sorted(new.items()):
        sys.stdout.write(f"{path}:{line}: looks like a secret ({kind})\n")
    if new:
        sys.stdout.write("Take it out, and revoke it if it was real; if it is none: --accept (CONTRIBUTING.md).\n")
    else:
        sys.stdout.write(f"secret scan: nothing new, {len(known())} in the baseline.\n")
    clean, said = audit()
    sys.stdout.write(f"dependency audit: {said}\n")
    return 0 if clean and not new else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
