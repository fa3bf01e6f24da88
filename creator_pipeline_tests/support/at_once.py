"""Two of the same at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest

SECONDS = 1.0
"""That the first one waits for the second, which may have to wait for the first."""


def met(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, work: Callable[[], Any]) -> bool:
    """Whether two threads that do ``work`` can be in front of ``module.name`` at the same time; both end their work.

    Args:
        monkeypatch: of the test.
        module: that calls the function.
        name: of the function.
        work: what both do.
    """
    place, go_on, seen = threading.Barrier(2), getattr(module, name), list[bool]()

    def stop(*args: Any, **options: Any) -> Any:
        try:
            place.wait(SECONDS)
            seen.append(True)
        except threading.BrokenBarrierError:
            seen.append(False)
        return go_on(*args, **options)

    monkeypatch.setattr(module, name, stop)
    with ThreadPoolExecutor(2) as pool:
        for one in [pool.submit(work) for _ in range(2)]:
            one.result()
    return any(seen)
