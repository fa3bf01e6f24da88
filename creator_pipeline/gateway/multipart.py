"""Forms with a file, read as they come: nothing is held but the chunk in hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, NamedTuple

from fastapi import Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from creator_pipeline.gateway.errors import GatewayError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_MAX_HEADER = 4096


class Part(NamedTuple):
    """The begin of a part."""

    name: str
    file_name: str | None


async def read(request: Request) -> AsyncIterator[Part | bytes]:
    """Begins of parts, each followed by its bytes.

    Raises:
        GatewayError: 415 where it is no form of this kind, 400 where it is broken.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise GatewayError(
            415, "unsupported", "The body is not multipart/form-data.", "Send the report as the form's field file."
        )
    reader = _Reader()
    parser = MultipartParser(boundary, reader.callbacks())
    try:
        async for chunk in request.stream():
            parser.write(chunk)
            for item in reader.taken():
                yield item
        parser.finalize()
    except MultipartParseError:
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
