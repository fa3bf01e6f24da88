"""What the drills share."""

from __future__ import annotations

import re
from collections import Counter

import yaml

from creator_pipeline_tests.faults.system import System
from creator_pipeline_tests.support.paths import ROOT

_OF = re.compile(r"Profile: +(\S+)")


def begin(system: System) -> None:
    """Start every part, with run monitoring as in production: on a busy machine a run takes long to begin."""
    system.start("postgres", "redis")
    path = system.folder / "home" / "dagster.yaml"
    config, ours = (yaml.safe_load(file.read_text(encoding="utf-8")) for file in (path, ROOT / "dagster.yaml"))
    path.write_text(yaml.safe_dump(config | {"run_monitoring": ours["run_monitoring"]}), encoding="utf-8")
    system.start()


def owner_mails(system: System) -> dict[str, Counter[str]]:
    """Kinds of mails about each profile: those to its owner, and those to ops that name it."""
    found: dict[str, Counter[str]] = {}
    for mail in system.sandbox.resend.inbox:
        to, text = mail.payload["to"][0], mail.payload["text"]
        named = _OF.search(text)
        profile = named.group(1) if named else to.partition("@")[0]
        kind = next(tag["value"] for tag in mail.payload["tags"] if tag["name"] == "kind")
        found.setdefault(profile, Counter())[kind] += 1
    return found
