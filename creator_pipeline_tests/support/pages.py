"""Pages as a reader's programs see them: parsed strictly, and looked at for what makes them hard to use."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import html5lib

from creator_pipeline.gateway.pages import HERE

_CONTROLS = ("input", "select", "textarea")
_OWN = re.compile(r"(/|#)(?!/)")


class Page:
    """A page's parts by name."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.root = _parsed(text)

    def all(self, tag: str) -> list[Any]:
        """Elements, in order."""
        return list(self.root.iter(tag))

    def find(self, tag: str, class_: str | None = None, **attributes: str) -> list[str]:
        """Text of each element of that name."""
        wanted = {**attributes, **({"class": class_} if class_ else {})}
        return [said(e) for e in self.all(tag) if all(e.get(name) == value for name, value in wanted.items())]

    def value(self, name: str) -> str:
        """Of the first field of that name."""
        return next(field.get("value") for field in self.all("input") if field.get("name") == name)

    def ticked(self, name: str) -> list[str]:
        """Values of the fields of that name that are checked."""
        return [f.get("value") for f in self.all("input") if f.get("name") == name and f.get("checked") is not None]

    def image(self) -> str:
        """What the picture is called."""
        return self.all("img")[0].get("alt")

    def rows(self) -> list[list[str]]:
        """The table's body."""
        return [[said(cell) for cell in row] for body in self.all("tbody") for row in body]


def _parsed(text: str) -> Any:
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)


def said(element: Any) -> str:
    """The text in an element."""
    return " ".join("".join(element.itertext()).split())


def faults(text: str) -> list[str]:
    """What a page's reader would stumble over; a page that is no HTML raises."""
    page, found = Page(text), list[str]()
    if page.root.get("lang") != "en" or not page.find("title")[0]:
        found.append("no language or title")
    if len(page.all("main")) != 1 or len(page.all("h1")) != 1:
        found.append("not one main and one h1")
    levels = [int(e.tag[1]) for e in page.root.iter() if isinstance(e.tag, str) and re.fullmatch(r"h[1-6]", e.tag)]
    found += [f"h{high} after h{low}" for low, high in pairwise(levels) if high > low + 1]
    ids = [e.get("id") for e in page.root.iter() if e.get("id")]
    found += [f"id {name} twice" for name in set(ids) if ids.count(name) > 1]
    for e in page.root.iter():
        found += [f"{e.tag} names {name}" for name in (e.get("aria-labelledby") or "").split() if name not in ids]
        found += [f"{e.tag} has {name}" for name in e.attrib if name.startswith("on") or name == "style"]
        found += [f"{e.tag} leads to {e.get(n)}" for n in ("href", "src", "srcset", "action") if _foreign(e.get(n))]
    inside = {
        id(field) for label in page.all("label") if said(label) for field in label.iter() if field.tag in _CONTROLS
    }
    named = {label.get("for") for label in page.all("label") if said(label)}
    for field in (f for tag in _CONTROLS for f in page.all(tag)):
        if field.get("type") != "hidden" and id(field) not in inside and field.get("id") not in named:
            found.append(f"field {field.get('name')} without a label")
    found += [f"{tag} without words" for tag in ("a", "button", "summary", "legend") for t in page.find(tag) if not t]
    found += ["picture without words" for image in page.all("img") if not image.get("alt")]
    found += ["th without scope" for cell in page.all("th") if cell.get("scope") not in {"row", "col"}]
    found += [f"{tag} is there" for tag in ("script", "iframe", "style") if page.all(tag)]
    return found


def _foreign(address: str | None) -> bool:
    return address is not None and not _OWN.match(address)


def schemes(style: Path = HERE / "style.css") -> list[dict[str, str]]:
    """The colours of the light and of the dark page."""
    roots = re.findall(r":root \{([^}]*)\}", style.read_text(encoding="utf-8"))
    return [dict(re.findall(r"--([\w-]+): (#[0-9a-f]+)", root)) for root in roots]


def contrast(one: str, other: str) -> float:
    """WCAG's ratio of two colours, ``#rgb`` or ``#rrggbb``."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
