"""Reads workbooks: the zip's directory is checked before anything is unpacked, then python-calamine reads the cells.

KDP's sheets name A1 as their dimension and hold inline strings. calamine reads all cells all the same.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import BinaryIO

import python_calamine as calamine

from creator_pipeline.platforms.kdp.cells import Cell
from creator_pipeline.platforms.kdp.models import NOT_TAUGHT
from creator_pipeline.platforms.kdp.problems import OWN_FILE, ReportError
from creator_pipeline.platforms.kdp.tabs import Tab, tabs_of

MAX_PARTS = 1000
MAX_UNPACKED = 256 << 20
MAX_RATIO = 50
"""Largest ratio of unpacked to packed size of a part above 1 MiB. Files that KDP makes have 6 to 14."""
_MAX_DIRECTORY = 1 << 20
_DTD = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
_CREATED = re.compile(rb"<dcterms:created[^>]*>([0-9T:.+Z -]{10,35})<")


def _refused(message: str, file: str, found: str | None = None, expected: str | None = None) -> ReportError:
    return ReportError(message, hint=OWN_FILE, kind="xlsx", file=file, found=found, expected=expected)


def open_xlsx(stream: BinaryIO, file: str, taught: Mapping[str, str] = NOT_TAUGHT) -> Iterator[Tab]:
    """Read the tabs one after the other; of a sheet with several tables, one table after the other.

    Args:
        stream: the workbook.
        file: its name, for messages.
        taught: header in normal form -> our name of the column, as a person said it.

    Raises:
        ReportError: it is no workbook, it is broken or hostile, or a header lacks a column.
    """
    try:
        stream.seek(0)
        with calamine.load_workbook(stream) as book:
            yield from tabs_of(_Sheets(book), file, taught)
    except calamine.PasswordError as error:
        raise _refused("The workbook is protected by a password.", file) from error
    except calamine.CalamineError as error:
        raise _refused(f"The workbook is broken: {str(error)[:120]}.", file) from error
    except BaseException as error:
        # The reader is Rust: a bug in it surfaces as PanicException, which is no Exception.
        if type(error).__name__ != "PanicException":
            raise
        raise _refused("The workbook is broken: its reader gave up.", file) from error


class _Sheets:
    """The worksheets of a workbook; their rows come from the sheet's first row on, also where that is empty."""

    def __init__(self, book: calamine.CalamineWorkbook) -> None:
        self._book = book
        self.names = [meta.name for meta in book.sheets_metadata if meta.typ == calamine.SheetTypeEnum.WorkSheet]

    def rows(self, name: str) -> Iterator[Sequence[Cell]]:
        return self._book.get_sheet_by_name(name).iter_rows()


def check_archive(stream: BinaryIO, size: int, file: str) -> datetime | None:
    """Check a workbook before it is read, and return when KDP made it; None where it doesn't say.

    Reads only the zip's directory and the first kilobyte of each part. Checks the number, sizes, ratios and names of
    the parts, encryption, and document type declarations.

    Raises:
        ReportError: the file has a property that no report of KDP has.
    """
    _check_directory(stream, size, file)
    try:
        with zipfile.ZipFile(stream) as archive:
            parts = archive.infolist()
            _check_parts(parts, file)
            for part in parts:
                if part.filename.lower().endswith((".xml", ".rels")):
                    with archive.open(part) as opened:
                        if _DTD.search(opened.read(1024)):
                            raise _refused(f"{part.filename} declares entities.", file, "DOCTYPE", "plain XML")
            if "docProps/core.xml" not in archive.namelist():
                return None
            with archive.open("docProps/core.xml") as core:
                return _created(core.read(1 << 16))
    except ReportError:
        raise
    except (zipfile.BadZipFile, NotImplementedError, OSError, RuntimeError, ValueError, EOFError) as error:
        raise _refused(f"The workbook is broken: {str(error)[:120]}.", file) from error
    except Exception as error:
        # zlib, lzma and struct have errors of their own for damaged parts.
        if type(error).__module__ not in {"zlib", "_lzma", "struct"}:
            raise
        raise _refused("The workbook is broken: a part can't be unpacked.", file) from error


def _check_directory(stream: BinaryIO, size: int, file: str) -> None:
    stream.seek(max(0, size - 65557))
    tail = stream.read()
    stream.seek(0)
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + 22:
        raise _refused("The workbook is cut off: it has no zip directory.", file, expected="a complete download")
    entries = int.from_bytes(tail[end + 10 : end + 12], "little")
    directory = int.from_bytes(tail[end + 12 : end + 16], "little")
    if entries > MAX_PARTS or directory > _MAX_DIRECTORY:
        raise _refused("The workbook has too many parts.", file, f"{entries} parts", f"at most {MAX_PARTS}")


def _check_parts(parts: list[zipfile.ZipInfo], file: str) -> None:
    names = [part.filename for part in parts]
    if len(set(names)) != len(names):
        raise _refused("The workbook has two parts of one name.", file)
    for part in parts:
        if part.flag_bits & 1:
            raise _refused("The workbook is protected by a password.", file, part.filename)
        steps = part.filename.replace("\\", "/").split("/")
        if ".." in steps or steps[0] == "" or ":" in part.filename:
            raise _refused("A part's name leads out of the workbook.", file, part.filename)
        if part.file_size > 1 << 20 and part.file_size > MAX_RATIO * max(part.compress_size, 1):
            raise _refused(
                "A part of the workbook unpacks to far more than it should.",
                file,
                f"{part.filename}: {part.file_size >> 20} MB from {part.compress_size >> 10} kB",
                f"a ratio of at most {MAX_RATIO}",
            )
    unpacked = sum(part.file_size for part in parts)
    if unpacked > MAX_UNPACKED:
        raise _refused("The workbook is too large.", file, f"{unpacked >> 20} MB", f"{MAX_UNPACKED >> 20} MB unpacked")
    if "xl/workbook.xml" not in names:
        raise _refused("This is a zip file, but no workbook.", file, ", ".join(names[:3]), "an .xlsx workbook")


def _created(core: bytes) -> datetime | None:
    match = _CREATED.search(core)
    if not match:
        return None
    try:
        moment = datetime.fromisoformat(match[1].decode("ascii").strip())
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
