"""Where an asset's page in the UI leads: to its documentation, its code, the columns that it is made of."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg

from creator_pipeline import settings
from creator_pipeline.core.declared import Place
from creator_pipeline.runtime.keys import asset_key, named_key

_ROOT = f"{Path(settings.__file__).parent.parent}{os.sep}"

Lineage = Mapping[str, Mapping[str, tuple[str, ...]]]
"""An asset, as ``gumroad/sales``, to its columns, each with the columns of the ledger that are made of it."""


class Urls(NamedTuple):
    """Where the documentation and the source are read; None where that isn't set."""

    docs: str | None
    source: str | None


@lru_cache(maxsize=1)
def urls() -> Urls:
    """Those of this process: a hundred links are made while the definitions load."""
    config = settings.load()
    return Urls(config.docs_url, config.source_url)


def see(page: str) -> str:
    """The sentence that ends a description: a link where ``DOCS_URL`` is set, else the path in the repository.

    Args:
        page: of the folder ``docs``, as ``books.md``.
    """
    url = urls().docs
    return f" See [docs/{page}]({url}/{page})." if url else f" See `docs/{page}`."


def code(*where: Callable[..., Any] | Place) -> dict[str, Any]:
    """Definition metadata: the lines that make an asset; links where ``SOURCE_URL`` is set, else files of this machine.

    Args:
        where: functions, or places of declarations, the most telling first.
    """
    base = urls().source
    found = [_reference(one if isinstance(one, Place) else _place(one), base) for one in where]
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=found)}


def _place(function: Callable[..., Any]) -> Place:
    # inspect.getsourcelines would read and parse the file: the compiled code knows its first line.
    compiled = function.__code__
    return Place(compiled.co_filename, compiled.co_firstlineno)


def _reference(place: Place, base: str | None) -> dg.LocalFileCodeReference | dg.UrlCodeReference:
    inside = place.path.removeprefix(_ROOT).replace(os.sep, "/")
    label = f"{inside}:{place.line}"
    if base:
        return dg.UrlCodeReference(url=f"{base}/{inside}#L{place.line}", label=label)
    return dg.LocalFileCodeReference(file_path=place.path, line_number=place.line, label=label)


def column_lineage(lineage: Lineage) -> dict[str, Any]:
    """Definition metadata: the columns that each column of the ledger is made of.

    Args:
        lineage: of a platform's part of the ledger.
    """
    made: dict[str, list[dg.TableColumnDep]] = {}
    for asset, columns in lineage.items():
        for column, gives in columns.items():
            for name in gives:
                made.setdefault(name, []).append(dg.TableColumnDep(named_key(asset), column))
    return {"dagster/column_lineage": dg.TableColumnLineage(made)} if made else {}


def origins(lineage: Lineage) -> dict[str, str]:
    """The same for people: each column of the ledger to ``gumroad/sales (price_micros, fee_micros)``."""
    made: dict[str, dict[str, list[str]]] = {}
    for asset, columns in lineage.items():
        for column, gives in columns.items():
            for name in gives:
                made.setdefault(name, {}).setdefault(asset, []).append(column)
    return {
        name: ", ".join(f"{asset} ({', '.join(columns)})" for asset, columns in of.items()) for name, of in made.items()
    }


def external(name: str) -> dg.AssetKey:
    """The key of what is outside of the pipeline: a platform by its name, or ``bank``."""
    return asset_key("external", name)
