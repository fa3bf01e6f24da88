"""Forms with a file, read as they come: nothing is held but the chunk in hand."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, NamedTuple

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from creator_pipeline.gateway.errors import GatewayError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_MAX_HEADER = 4096
_MAX_BOUNDARY = 70
"""Of RFC 2046."""
MAX_PARTS = 100
UNKNOWN_BYTES = 64 * 1024
UNKNOWN_PARTS = 10
"""So much is read of a form before it is known whose it is."""
_PIECE = 16 * 1024


class Trust:
    """How much of a form is read: a little while its sender isn't known, and more after :meth:`known`.

    Args:
        refusal: makes the error for a sender who isn't known by then.
    """

    def __init__(self, refusal: Callable[[], GatewayError]) -> None:
        self._refusal = refusal
        self._bytes = float(UNKNOWN_BYTES)
        self._parts = UNKNOWN_PARTS

    def known(self) -> None:
        """Its sender has a good key."""
        self._bytes = math.inf
        self._parts = MAX_PARTS

    def check(self, parts: int, size: int) -> None:
        """Allow so many parts and bytes.

        Raises:
            GatewayError: that is too much.
        """
        if parts <= self._parts and size <= self._bytes:
            return
        if self._bytes < math.inf:
            raise self._refusal()
        raise GatewayError(400, "broken_form", f"The form has more than {MAX_PARTS} parts.", "Send the file alone.")


class Part(NamedTuple):
    """The begin of a part."""

    name: str
    file_name: str | None


async def read(request: Request, trust: Trust) -> AsyncIterator[Part | bytes]:
    """Begins of parts, each followed by its bytes.

    Args:
        request: its body is read.
        trust: whether its sender is known; may change while parts are taken.

    Raises:
        GatewayError: 415 where it is no form of this kind, 400 where it is broken or has too many parts, 401 where
            its sender isn't known by then.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise GatewayError(
            415, "unsupported", "The body is not multipart/form-data.", "Send the report as the form's field file."
        )
    if len(boundary) > _MAX_BOUNDARY:
        raise GatewayError(400, "broken_form", f"The form's boundary is longer than {_MAX_BOUNDARY} characters.")
    reader = _Reader()
    parts = taken = 0
    try:
        parser = MultipartParser(boundary, reader.callbacks())
        async for chunk in request.stream():
            # Small pieces, and others' turn between them: a part may cost more than its bytes tell.
            for start in range(0, len(chunk), _PIECE):
                piece = chunk[start : start + _PIECE]
                parser.write(piece)
                taken += len(piece)
                for item in reader.taken():
                    parts += isinstance(item, Part)
                    trust.check(parts, 0)
                    yield item
                trust.check(parts, taken)
                await asyncio.sleep(0)
        parser.finalize()
    except FormParserError:
        raise _broken() from None
    if not reader.ended:
        raise _broken()


def _broken() -> GatewayError:
    return GatewayError(400, "broken_form", "The form is broken or was cut off.", "Send it again.")


class _Reader:
    """Collects what the parser tells."""

    def __init__(self) -> None:
        self._items: list[Part | bytes] = []
        self._name = self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self.ended = False

    def callbacks(self) -> MultipartCallbacks:
        """For the parser."""
        return {
            "on_part_begin": self._headers.clear,
            "on_header_field": self._field,
            "on_header_value": self._content,
            "on_header_end": self._header,
            "on_headers_finished": self._begin,
            "on_part_data": self._data,
            "on_end": self._end,
        }

    def taken(self) -> list[Part | bytes]:
        """What came since the last call."""
        items, self._items = self._items, []
        return items

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._name = self._grown(self._name, data[start:end])

    def _content(self, data: bytes, start: int, end: int) -> None:
        self._value = self._grown(self._value, data[start:end])

    @staticmethod
    def _grown(text: bytes, more: bytes) -> bytes:
        if len(text) + len(more) > _MAX_HEADER:
            raise _broken()
        return text + more

    def _header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _begin(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        file_name = options.get(b"filename")
        self._items.append(
            Part(
                options.get(b"name", b"").decode("utf-8", "replace"),
                None if file_name is None else file_name.decode("utf-8", "replace"),
            )
        )

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._items.append(data[start:end])

    def _end(self) -> None:
        self.ended = True
