"""Where files are exported to: a folder, or a store that fsspec knows. A name holds a whole file or none."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from creator_pipeline.core.errors import ConfigError, TransientError

UNFINISHED = ".part"
"""Ends the name of a file that is being written in a folder. A store takes a file as a whole."""


class Target:
    """The place that ``EXPORT_URL`` names.

    Raises:
        ConfigError: the URL can't be read, or needs a library that isn't there.
    """

    def __init__(self, url: str) -> None:
        import fsspec
        from fsspec.implementations.local import LocalFileSystem

        hint = "A folder, s3://bucket/folder (extra `s3`), or another URL of fsspec; see docs/export.md."
        try:
            found: tuple[Any, str] = fsspec.url_to_fs(url)
        except ImportError as error:
            raise ConfigError(f"EXPORT_URL needs a library that is not installed: {error}.", hint=hint) from None
        except ValueError as error:
            raise ConfigError(f"EXPORT_URL can't be read: {error}.", hint=hint) from None
        self._fs, self.root = found[0], found[1].rstrip("/")
        self._is_folder = isinstance(self._fs, LocalFileSystem)

    def put(self, name: str, data: bytes) -> None:
        """Write a file, or replace it: a reader finds the former content or this, never a part.

        Args:
            name: below the target, with ``/`` between folders.
            data: all of it.

        Raises:
            ConfigError: nothing may be written there.
            TransientError: it can't be reached, or is full.
        """
        with _translated():
            if not self._is_folder:
                self._fs.pipe_file(self._path(name), data)
                return
            path = Path(self._path(name))
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{path.name}.{os.getpid()}{UNFINISHED}")
            with part.open("wb") as out:
                out.write(data)
                out.flush()
                # A machine that goes down may not leave a manifest that names empty files.
                os.fsync(out.fileno())
            part.replace(path)

    def get(self, name: str) -> bytes | None:
        """The content of a file; None where there is none.

        Raises:
            ConfigError: nothing may be read there.
            TransientError: it can't be reached.
        """
        with _translated():
            try:
                return self._fs.cat_file(self._path(name))
            except FileNotFoundError:
                return None

    def names(self) -> set[str]:
        """Every file below the target.

        Raises:
            ConfigError: nothing may be read there.
            TransientError: it can't be reached.
        """
        with _translated():
            self._fs.invalidate_cache()
            try:
                return {path.removeprefix(self.root).lstrip("/") for path in self._fs.find(self.root)}
            except FileNotFoundError:
                return set()

    def delete(self, names: Iterable[str]) -> None:
        """Delete files; one that is gone already is none to delete.

        Raises:
            ConfigError: nothing may be deleted there.
            TransientError: it can't be reached.
        """
        with _translated():
            for name in names:
                with suppress(FileNotFoundError):
                    self._fs.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except PermissionError as error:
        raise ConfigError(
            f"EXPORT_URL: {error}.", hint="Give the pipeline the right to read, write and delete there."
        ) from error
    except OSError as error:
        raise TransientError(
            f"EXPORT_URL: {error}.", hint="What was exported before stands. Run again: creator-pipeline export"
        ) from error
