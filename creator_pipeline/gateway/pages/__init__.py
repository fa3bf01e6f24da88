"""The pages a person sees: templates beside this file, no script, nothing from another host."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from creator_pipeline.core.text import unturned

HERE = Path(__file__).parent


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, finalize=unturned, trim_blocks=True
    )


def page(template: str, status: int = 200, headers: Mapping[str, str] | None = None, /, **values: Any) -> Response:
    """A page; every value is escaped."""
    text = _templates().get_template(template).render(**values)
    return Response(text, status, dict(headers or {}), "text/html; charset=utf-8")


@lru_cache(maxsize=1)
def style() -> bytes:
    """The style sheet."""
    return (HERE / "style.css").read_bytes()
