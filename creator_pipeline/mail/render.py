"""A kind and its values to subject, HTML and text. Pure: the same input gives the same bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from creator_pipeline.core.text import unturned
from creator_pipeline.mail.kinds import CATEGORIES, KINDS

if TYPE_CHECKING:
    from css_inline import CSSInliner
    from jinja2 import Environment

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")
_SUBJECT_LENGTH = 140


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a reader gets."""

    subject: str
    html: str
    text: str


def one_line(text: str) -> str:
    """Without line breaks and control characters: a subject or a name begins no header, and turns nothing round."""
    return " ".join(_CONTROL.sub(" ", unturned(text)).split())


def render(
    kind: str,
    values: Mapping[str, Any],
    *,
    product: str,
    unsubscribe_url: str | None = None,
    page_url: str | None = None,
    greeting: str = "Hello,",
) -> Rendered:
    """The mail of ``kind``.

    Args:
        values: what its templates name; one that is missing raises ``jinja2.UndefinedError``.
        product: the sender's name, for people.
        unsubscribe_url: page where this category is turned off; None on mails that can't be turned off.
        page_url: the reader's own page; None on mails of security and to who has none.
    """
    which = KINDS[kind]
    environment = _environment()
    given = {
        "product": product,
        "greeting": greeting,
        "unsubscribe_url": unsubscribe_url,
        "page_url": page_url,
        "category_words": CATEGORIES.get(which.category, ""),
        **values,
    }
    subject = one_line(environment.from_string(which.subject).render(given))[:_SUBJECT_LENGTH]
    name = which.template or kind
    html = environment.get_template(f"{name}.html.j2").render(given, subject=subject)
    text = _text_environment().get_template(f"{name}.txt.j2").render(given, subject=subject)
    return Rendered(subject, _inliner().inline(html), _tidy(text))


def _tidy(text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip() + "\n"


def _thousands(number: int) -> str:
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """``1 event``, ``1,234 events``."""
    return f"{_thousands(number)} {noun}{'' if number == 1 else 's'}"


def _escapes(name: str | None) -> bool:
    # Subjects are templates without a name; they and the text parts are no HTML.
    return name is not None and name.endswith(".html.j2")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("creator_pipeline.mail"),
        autoescape=_escapes,  # noqa: S701 - on for every HTML template
        undefined=StrictUndefined,
        finalize=unturned,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = environment.filters
    filters.update({"thousands": _thousands, "counted": counted})
    return environment


@lru_cache(maxsize=1)
def _text_environment() -> Environment:
    # The lines between paragraphs are what a block leaves behind.
    return _environment().overlay(trim_blocks=False)


@lru_cache(maxsize=1)
def _inliner() -> CSSInliner:
    from css_inline import CSSInliner

    # The default drops @media, and with it dark mode and small screens.
    return CSSInliner(keep_style_tags=False, keep_at_rules=True, load_remote_stylesheets=False)
