"""Clients of Gumroad without a server, which page as the service does, and a small row of a sale."""

from datetime import date
from typing import NamedTuple

from creator_pipeline.core.errors import PipelineError
from creator_pipeline.core.http import Usage
from creator_pipeline.platforms.gumroad.answers import SlowQueryError
from creator_pipeline.platforms.gumroad.client import SalesPage


class SaleDay(NamedTuple):
    """The row that these tests make of a sale."""

    id: str
    partition_day: date


def sale_day(sale) -> SaleDay:
    """The day as the rows of the product have it."""
    return SaleDay(sale["id"], date.fromisoformat(sale["created_at"][:10]))


class PendingPage:
    """A request for a page: the page is made when it is asked for, and an error is raised by the result."""

    def __init__(self, make, *where) -> None:
        try:
            self._page, self._error = make(*where), None
        except PipelineError as error:
            self._page, self._error = None, error
        self.open = True

    def result(self):
        """The page, once."""
        self.cancel()
        if self._error:
            raise self._error
        return self._page

    def cancel(self) -> None:
        """Once."""
        assert self.open
        self.open = False


class Pages:
    """A client that answers from memory: ``per_day`` sales newest first, pages of any size."""

    def __init__(self, pages, _end) -> None:
        self.pages, self.usage = pages, Usage()

    def start_sales_page(self, window, key=None) -> PendingPage:
        """As the client's."""
        return PendingPage(self.sales_page, window, key)

    def sales_page(self, _window, key=None) -> SalesPage:
        """By position."""
        at = int(key or 0)
        return SalesPage(self.pages[at], str(at + 1) if at + 1 < len(self.pages) else None)


class Keyset:
    """A client with the service's own paging over invented sales: ten a page, keys by position in time."""

    def __init__(self, times, slow_days) -> None:
        self.rows = [
            {
                "id": f"s{number}",
                "created_at": f"{day.isoformat()}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z",
            }
            for number, (day, second) in enumerate(sorted(times))
        ]
        self.slow_days, self.asked, self.usage = slow_days, 0, Usage()
        self.pending = []

    def start_sales_page(self, window, key=None) -> PendingPage:
        """As the client's."""
        self.pending.append(PendingPage(self.sales_page, window, key))
        return self.pending[-1]

    def sales_page(self, window, key=None) -> SalesPage:
        """Newest first; a window that is too long times out."""
        self.asked += 1
        if self.slow_days and window.days > self.slow_days:
            raise SlowQueryError("Query timed out.")
        below = int(key) if key else len(self.rows)
        found = [
            number
            for number in range(below - 1, -1, -1)
            if window.start.isoformat() <= self.rows[number]["created_at"] < window.end.isoformat()
        ]
        page = found[:10]
        return SalesPage([self.rows[number] for number in page], str(page[-1]) if len(found) > 10 else None)
