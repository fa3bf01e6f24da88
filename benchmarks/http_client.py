"""What a page costs the processor, by httpx and by ``core/transport.py``: ``python benchmarks/http_client.py``.

The same request to ``standin.py`` by both, in turns; processor time of this process alone.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import httpx

from creator_pipeline.core.transport import ConnectionPool

PATH = "/v2/sales?after=2000-01-01&before=2100-01-01"
HEADERS = {"Authorization": "Bearer 0-500-0", "Accept": "application/json"}
REQUESTS, ROUNDS = 500, 7


def milliseconds(ask: Callable[[], bytes]) -> float:
    """Processor time of one request."""
    began = time.process_time()
    for _ in range(REQUESTS):
        assert len(ask()) > 10_000
    return (time.process_time() - began) / REQUESTS * 1000


def main() -> None:
    """Print one line for each client, and the ratio."""
    command = [sys.executable, str(HERE / "standin.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        theirs = httpx.Client(base_url=url, headers=HEADERS)
        ours = ConnectionPool(url, HEADERS, size=1)
        asks: dict[str, Callable[[], bytes]] = {
            "httpx": lambda: theirs.get(PATH).content,
            "core/transport.py": lambda: ours.send("GET", PATH, seconds=30, max_bytes=1 << 20).receive().content,
        }
        taken: dict[str, list[float]] = {name: [] for name in asks}
        for _ in range(ROUNDS):
            for name, ask in asks.items():
                taken[name].append(milliseconds(ask))
        theirs.close()
        ours.close()
        server.communicate()
    for name, found in taken.items():
        print(f"{name:20}{statistics.median(found):7.3f} ms a request ({min(found):.3f}-{max(found):.3f})")
    ratios = [a / b for a, b in zip(*taken.values(), strict=True)]
    print(f"ratio {statistics.median(ratios):.1f} ({min(ratios):.1f}-{max(ratios):.1f})")


if __name__ == "__main__":
    main()
