"""Rules and dashboard against a real Prometheus: ``python -m creator_pipeline_tests.drills.metrics``.

It needs ``prometheus`` and ``promtool`` (Debian: prometheus). promtool computes at which figures each rule fires, and the
nearest at which it doesn't. Then a Prometheus with the shipped configuration asks the gateway of a demo: every panel of the
dashboard gets data, a job that is given up fires its rule, and the rule ends when the job is gone. The only changes are the
target, the interval of a second, and that a rule's ``for`` is a second. Exit 1 when something isn't so.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml
from sqlalchemy import delete, insert

from creator_pipeline.commands.processes import free_port
from creator_pipeline.core.windows import now
from creator_pipeline.store.engine import open_warehouse
from creator_pipeline.store.tables import ingestion_jobs
from creator_pipeline_tests.support import alert_rules, exposed_metrics
from creator_pipeline_tests.support.paths import ROOT

SHIPPED = ROOT / "deploy" / "prometheus"
JOB = "job-of-the-drill"


def promtool(*words: str) -> None:
    """One command of promtool, which must end well."""
    done = subprocess.run(["promtool", *words], check=False, capture_output=True, text=True)
    print(
        f"promtool {' '.join(words[:2])}: {'well' if done.returncode == 0 else done.stdout + done.stderr}", flush=True
    )
    if done.returncode:
        raise SystemExit(1)


def wait(what: str, found: Callable[[], Any], seconds: float) -> Any:
    """Wait until something is there; its value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := found():
            return value
        time.sleep(0.5)
    raise SystemExit(f"{what}: not within {seconds:.0f} s.")


@contextmanager
def demo(folder: Path) -> Iterator[dict[str, str]]:
    """The demo at work: the words and values of its last lines."""
    log = folder / "demo.log"
    with log.open("w") as file:
        words = [sys.executable, "-m", "creator_pipeline", "demo"]
        process = subprocess.Popen(words, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT)
    try:

        def lines() -> dict[str, str]:
            if process.poll() is not None:
                raise SystemExit(f"The demo ended by itself:\n{log.read_text(encoding='utf-8')}")
            return dict(re.findall(r"^(Gateway|Tables): +(\S+)$", log.read_text(encoding="utf-8"), re.MULTILINE))

        yield wait("the demo", lambda: lines() if len(lines()) == 2 else None, 1_800)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(120)


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[httpx.Client]:
    """A Prometheus that asks the target; a client of it."""
    config = yaml.safe_load((SHIPPED / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    rules = (SHIPPED / "rules.yml").read_text(encoding="utf-8")
    (folder / "rules.yml").write_text(re.sub(r"for: \S+", "for: 1s", rules), encoding="utf-8")
    port = free_port(9090)
    words = ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen([*words, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            wait("Prometheus", lambda: _asked(client, 'up{job="creator_pipeline"} == 1'), 60)
            yield client
    finally:
        process.terminate()
        process.wait(30)


def _asked(client: httpx.Client, expression: str) -> list[Any]:
    try:
        answer = client.get("/api/v1/query", params={"query": expression.replace("$__rate_interval", "1m")})
    except httpx.TransportError:
        return []
    return answer.json()["data"]["result"] if answer.status_code == 200 else []


def fired(client: httpx.Client) -> set[str]:
    """Rules that fire now."""
    found = client.get("/api/v1/alerts").json()["data"]["alerts"]
    return {one["labels"]["alertname"] for one in found if one["state"] == "firing"}


def empty_panels(client: httpx.Client) -> list[str]:
    """Panels of which a query gets nothing."""
    return [title for title, each in exposed_metrics.panels().items() if not all(_asked(client, one) for one in each)]


def play(gateway: str, tables: str, folder: Path) -> bool:
    """Everything against a gateway that is at work; whether it is so.

    Args:
        gateway: its address.
        tables: SQLAlchemy URL of its warehouse.
        folder: for Prometheus' files.
    """
    warehouse = open_warehouse(tables)
    target = httpx.URL(gateway).netloc.decode()
    with prometheus(folder, target) as client:
        time.sleep(5)  # two scrapes, for a rate
        left = empty_panels(client)
        print(f"panels: {len(exposed_metrics.panels())}, without data: {left or 'none'}", flush=True)
        before = fired(client)
        print(f"fires on the demo as it is: {sorted(before) or 'nothing'}", flush=True)
        words = {"profile_id": "alice", "source": "drill", "kind": "webhook", "payload": "{}", "attempts": 9}
        moments = {"visible_at": now(), "created_at": now()}
        with warehouse.write() as connection:
            connection.execute(insert(ingestion_jobs).values(id=JOB, status="dead", **words, **moments))
        try:
            wait("JobsDead", lambda: "JobsDead" in fired(client), 60)
            print("a job is given up: JobsDead fires", flush=True)
        finally:
            with warehouse.write() as connection:
                connection.execute(delete(ingestion_jobs).where(ingestion_jobs.c.id == JOB))
        wait("the end of JobsDead", lambda: "JobsDead" not in fired(client), 60)
        print("it is gone: JobsDead fires no more", flush=True)
    return not left and "JobsDead" not in before


def main() -> None:
    """Exit 1 when something isn't so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gateway", help="of an installation that is at work, in place of a demo; with --tables")
    parser.add_argument("--tables", help="SQLAlchemy URL of its warehouse")
    options = parser.parse_args()
    if missing := [name for name in ("prometheus", "promtool") if shutil.which(name) is None]:
        raise SystemExit(f"{' and '.join(missing)} not found. Debian: apt-get install prometheus")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        promtool("check", "config", str(SHIPPED / "prometheus.yml"))
        promtool("check", "rules", str(SHIPPED / "rules.yml"))
        cases = folder / "cases.yml"
        cases.write_text(alert_rules.promtool_file(SHIPPED / "rules.yml"), encoding="utf-8")
        promtool("test", "rules", str(cases))
        if options.gateway:
            well = play(options.gateway, options.tables, folder)
        else:
            with demo(folder) as lines:
                well = play(lines["Gateway"].removesuffix("/docs"), lines["Tables"], folder)
    print("All is so." if well else "Not all is so: see above.")
    raise SystemExit(0 if well else 1)


if __name__ == "__main__":
    main()
