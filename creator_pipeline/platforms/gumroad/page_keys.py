"""Page keys of the sales that leave no row out, whatever order Gumroad's ids have.

The list is ordered by time. Behind a page key stand the sales that are not younger than its instant and whose id is
below its number. A sale that is older than the last row of a page and has the higher id is then on no page. The ids
themselves aren't told: the numbers of the rows are made from them and have another order. So a day can only be read
again with keys that hold the number of a sale that is newer than all of it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_KEY = re.compile(r"(\d{14})(\d{6})-(\d+)")
_SECOND = timedelta(seconds=1)


class PageKeys:
    """The server's own keys, as they are."""

    def following(self, asked: str | None, told: str | None) -> str | None:
        """The key of the next page; None on the last.

        Args:
            asked: the key of the page that was read; None on the first.
            told: the next one, as the server says.
        """
        del asked
        return told


class OverlappingKeys(PageKeys):
    """Keys of the time of the last row and of the number of a newer sale: pages begin with the second they ended in.

    Args:
        number: ``order_id`` of the newest sale.
    """

    def __init__(self, number: int) -> None:
        self._number = str(number)

    def following(self, asked: str | None, told: str | None) -> str | None:
        """As of :class:`PageKeys`. A key that isn't made of a time and a number is passed on as it is."""
        before, next_key = _KEY.fullmatch(asked or ""), _KEY.fullmatch(told or "")
        if told and (next_key is None or (before is not None and before[1] == next_key[1])):
            # A page full of one second: only the server's own key leads on within it.
            return told
        if before is not None and before[3] != self._number:
            # That second is read to its end; what is older and has a higher id is behind our number only.
            moment = datetime.strptime(before[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC) - _SECOND
            return self._key(f"{moment:%Y%m%d%H%M%S}")
        return self._key(next_key[1]) if next_key else None

    def _key(self, second: str) -> str:
        return f"{second}000000-{self._number}"
