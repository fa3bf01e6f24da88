"""Thousands of reports dropped at once into a running installation: ``python -m creator_pipeline_tests.drills.drop``.

Gateway and daemon run as processes on SQLite (or on the databases that are named), the platforms are the sandbox. Ten
profiles get their files in one moment: each file is one day's sales of one book; one in fifty can't be used. Meanwhile
a sale happens every few seconds, and its webhook must land. Prints processor seconds of each file, the time of the last
one, and the webhooks' latency before, during and after the drop. With ``--kill`` everything that works is killed in the middle
(``kill -9``). Exit 1 where the ledger isn't the sum of the files, a sale didn't land, or an owner got more than one mail
about the drop.
"""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import sys
import threading
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import orjson
from sqlalchemy import func, select

from creator_pipeline.store.tables import email_messages, kdp_uploads, sales_events
from creator_pipeline_tests.drills.processes import Installation, installed
from creator_pipeline_tests.support.kdp_samples import as_csv, table

NAMES = tuple(f"seller{number}" for number in range(10))
BAD_EVERY = 50
FIRST_DAY = date(2025, 1, 1)
PATIENCE = 300
"""Seconds in which a sale must land, however much is under way."""
IDLE_SALES = 5


def write_files(folder: Path, each: int) -> int:
    """``each`` files for each profile, moved in at once; returns their royalties in cents."""
    header, row = table()[:2]
    cents = 0
    for name in NAMES:
        (folder / f".{name}").mkdir(parents=True)
        for number in range(each):
            values = dict(zip(header, row, strict=True))
            good = (number + 1) % BAD_EVERY != 0
            amount = 1000 + number
            values |= {"Royalty Date": str(FIRST_DAY + timedelta(days=number)), "Royalty": f"{amount / 100:.2f}"}
            values |= {"Author Name": name, "Currency": "USD"} | ({} if good else {"Units Sold": "many"})
            cents += amount if good else 0
            path = folder / f".{name}" / f"report-{number:04}.csv"
            path.write_bytes(as_csv([header, list(values.values())]))
    for name in NAMES:
        (folder / name).mkdir(exist_ok=True)
        for path in (folder / f".{name}").iterdir():
            path.rename(folder / name / path.name)
        (folder / f".{name}").rmdir()
    return cents


def count(made: Installation, query: object) -> int:
    """The number a query gives."""
    with made.warehouse.read() as connection:
        return int(connection.execute(query).scalar_one() or 0)


SALES = select(func.count()).select_from(sales_events).where(sales_events.c.platform == "gumroad")
UPLOADS = select(func.count()).select_from(kdp_uploads)


def sale_latency(made: Installation, name: str, patience: float) -> float:
    """Seconds from a sale to its row in the ledger; infinite where patience ends before.

    Args:
        made: the installation.
        name: whose sale.
        patience: seconds.
    """
    sale, began = made.sandbox.world.gumroad.add_sale(name, pings=True), time.monotonic()
    landed = SALES.where(sales_events.c.external_id == sale.id)
    while not count(made, landed):
        if time.monotonic() - began > patience:
            return float("inf")
        time.sleep(0.1)
    return time.monotonic() - began


def sell(made: Installation, every: float, stop: threading.Event, latencies: list[float]) -> None:
    """Sales of all profiles in turn until told to stop, one at a time.

    Args:
        made: the installation.
        every: seconds between two sales.
        stop: ends it after the sale that is under way.
        latencies: takes seconds.
    """
    for name in itertools.cycle(NAMES):
        starts = made.starts
        took = sale_latency(made, name, PATIENCE)
        if took == float("inf") and made.starts != starts:
            print(f"  the ping of {name} went down with the gateway", flush=True)
        else:
            latencies.append(took)
            print(f"  a sale of {name} in {took:.1f} s", flush=True)
        if stop.wait(every):
            return


def check(made: Installation, cents: int) -> list[str]:
    """What isn't as it should be."""
    ledger = sales_events.c
    micros = count(made, select(func.sum(ledger.net_micros)).where(ledger.platform == "amazon_kdp"))
    wrong = [] if micros == cents * 10_000 else [f"the ledger has {micros / 1e6:.2f} USD, the files {cents / 100:.2f}"]
    mails: dict[str, Counter[str]] = {}
    with made.warehouse.read() as connection:
        for to, kind in connection.execute(select(email_messages.c.to, email_messages.c.kind)):
            mails.setdefault(to, Counter())[kind] += 1
    for to, kinds in sorted(mails.items()):
        print(f"  {to}: {dict(kinds)}")
        told = sum(number for kind, number in kinds.items() if kind.startswith(("files_", "ingestion_")))
        if told != 1:
            wrong.append(f"{to} got {told} mails")
    return wrong


def main() -> int:
    """Everything; returns the exit code."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--files", type=int, default=3000, help="of all profiles together")
    asked.add_argument("--patience", type=float, default=3600, help="seconds")
    asked.add_argument("--every", type=float, default=10, help="seconds between two sales; 0: none")
    asked.add_argument("--kill", action="store_true", help="kill all that works in the middle")
    asked.add_argument("--database-url", help="of the warehouse; SQLite by default")
    asked.add_argument("--dagster-url", help="of Dagster's storage; SQLite by default")
    options = asked.parse_args()
    # Told to end, it ends its processes too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    before, during, after = list[float](), list[float](), list[float]()
    with installed(options, NAMES) as made:
        made.start()
        if options.every:
            first = sale_latency(made, NAMES[0], PATIENCE)
            print(f"first sale after {first:.1f} s (the parts start), load {os.getloadavg()[0]:.1f}", flush=True)
            before += [sale_latency(made, name, PATIENCE) for name in NAMES[1 : 1 + IDLE_SALES]]
            print(f"webhooks before: {_shown(before)}", flush=True)
        inbox = made.folder / "kdp_inbox"
        cpu, began = made.processor_seconds(), time.monotonic()
        cents, total = write_files(inbox, options.files // len(NAMES)), options.files // len(NAMES) * len(NAMES)
        print(f"{total} files dropped", flush=True)
        killed, landed, stop, shown = not options.kill, 0, threading.Event(), began
        seller = threading.Thread(target=sell, args=(made, options.every, stop, during), daemon=True)
        if options.every:
            seller.start()
        while (landed := count(made, UPLOADS)) < total and time.monotonic() - began < options.patience:
            if not killed and landed > total // 3:
                made.stop()
                made.start()
                killed = True
                print(f"  killed at {landed} files", flush=True)
            if time.monotonic() - shown > 20:
                shown = time.monotonic()
                used = made.used + made.processor_seconds() - cpu
                print(f"  {landed} files after {shown - began:.0f} s, {used:.0f} s of processor", flush=True)
            time.sleep(0.5)
        seconds, cpu = time.monotonic() - began, made.used + made.processor_seconds() - cpu
        pace = landed / seconds
        print(
            f"{landed} of {total} files after {seconds:.0f} s: {pace:.2f} files a second, "
            f"{cpu / max(1, landed):.2f} s of processor each; 3,000 would take {3000 / max(pace, 1e-9) / 60:.0f} min",
            flush=True,
        )
        stop.set()
        if options.every:
            seller.join()
            print(f"webhooks during: {_shown(during)}, load {os.getloadavg()[0]:.1f}", flush=True)
            after += [sale_latency(made, name, PATIENCE) for name in NAMES[:IDLE_SALES]]
            print(f"webhooks before: {_shown(before)}", flush=True)
            print(f"webhooks after: {_shown(after)}, load {os.getloadavg()[0]:.1f}", flush=True)
        time.sleep(30)
        wrong = check(made, cents) + ([] if landed == total else [f"{total - landed} files never landed"])
        lost = sum(each == float("inf") for each in (*before, *during, *after))
        wrong += [f"{lost} sales never landed"] if lost else []
        told = {
            "files": landed,
            "seconds": round(seconds),
            "files_per_second": round(pace, 2),
            "cpu_per_file": round(cpu / max(1, landed), 3),
            "mails": count(made, select(func.count()).select_from(email_messages)),
            "webhook_seconds": {"before": _quantiles(before), "during": _quantiles(during), "after": _quantiles(after)},
        }
        print(orjson.dumps(told).decode())
    for line in wrong:
        print(f"  WRONG: {line}")
    return 1 if wrong else 0


def _quantiles(latencies: list[float]) -> list[float]:
    """p50 and p95 in seconds; empty where there is none."""
    ordered = sorted(latencies)
    return [round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) for share in (0.5, 0.95) if ordered]


def _shown(latencies: list[float]) -> str:
    if not latencies:
        return "none"
    p50, p95 = _quantiles(latencies)
    return f"p50 {p50} s, p95 {p95} s, longest {max(latencies):.1f} s of {len(latencies)}"


if __name__ == "__main__":
    sys.exit(main())
