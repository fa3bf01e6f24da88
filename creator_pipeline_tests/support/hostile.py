"""What platforms, buyers and passers-by can send: values that parsers, numbers, calendars and databases trip over."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

Json = Any
Path = tuple[str | int, ...]

TEXTS = [
    "",
    " ",
    "\0",
    "a\0b",
    "\x1b[31m",
    "\r\nX-Evil: 1",
    "\\N",
    "'; DROP TABLE profiles; --",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "../../etc/passwd",
    "http://[",
    "http://[::1",
    "//\\\\evil",
    "\u202egnp.exe",
    "\ufeff",
    "\U0001f600",
    "²",
    "٣٤",
    "1e999",
    "-1e999",
    "1e-999",
    "1E+400000000",
    "NaN",
    "Infinity",
    "-0",
    "9" * 400,
    "0." + "0" * 400 + "1",
    "$" + "9" * 400,
    "0000-00-00",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "10000-01-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-02-01T00:00:00",
    "2026-02-01T24:00:00Z",
    "2026-02-01T00:00:00+99:99",
    "0001-01-01",
    "9999-12-31",
    "31 Dec 9999  7:20 AM",
    "1 Jan 0001  7:20 AM",
    "x" * 70_000,
    "é" * 5_000,
]
NUMBERS = [
    *(0, 1, -1, 2**31 - 1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64 - 1, 10**12 + 1),
    *(0.1, -0.5, 1e15, 1e22, 1e300, -1e300, 5e-324),
]
TEXT = st.sampled_from(TEXTS) | st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
SCALAR = st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.integers(-(2**63), 2**64 - 1) | TEXT
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
"""Whatever JSON can carry and orjson reads: no lone surrogates, no infinity, integers of 64 bits."""


def nested(depth: int) -> Json:
    """An object so deep: orjson reads a thousand levels and writes two hundred."""
    value: Json = 1
    for _ in range(depth):
        value = {"a": value}
    return value


NASTY: list[Json] = [
    *(None, True, [], {}, {"a": "\0"}, [{"id": 1}], nested(300)),
    *("", "a\0b", "²", "9" * 400, "$" + "9" * 400, "1e999", "1E+400000000", "NaN", "http://["),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-02-01T00:00:00", "31 Dec 9999  7:20 AM"),
    *(0, -1, 2**31, 2**63, 2**64 - 1, 10**12 + 1, 1e300, -0.5),
]
"""The fewest values that tripped something; each is put in each place."""

DEEP = [
    b"[" * 1000 + b"]" * 1000,
    b'{"a":' * 1000 + b"1" + b"}" * 1000,
    b'{"a":[' * 500 + b"1" + b"]}" * 500,
    b"[" * 200_000,
    b'{"data":' + b'{"id":' * 900 + b"1" + b"}" * 900 + b"}",
]
BODIES = [
    b"",
    b"null",
    b"0",
    b"[]",
    b"{}",
    b'"x"',
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"9" * 5000,
    b'{"a":' + b"9" * 5000 + b"}",
    b'"\\ud800"',
    b'{"\\ud800":1}',
    b'{"type":"\\u0000","data":{"id":"\\u0000"}}',
    b'{"type":1,"type":{}}',
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf{}",
    b"\x1f\x8b\x08\x00",
    *DEEP,
]


def quick(examples: int) -> settings:
    """The same few examples on each run of the suite; with ``--hypothesis-profile long`` many and new ones."""
    if settings.get_current_profile_name() == "long":
        return settings(settings.get_profile("long"), suppress_health_check=list(HealthCheck))
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def paths(value: Json, at: Path = ()) -> list[Path]:
    """The place of everything inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, each in inner for path in ((*at, key), *paths(each, (*at, key)))]


def everywhere(original: Json) -> Iterator[Json]:
    """The answer with each of its places, of the two uppermost levels, holding each of :data:`NASTY`, or gone."""
    for path in paths(original):
        if len(path) > 2:
            continue
        for number in range(-1, len(NASTY)):
            value = copy.deepcopy(original) if len(path) == 2 else dict(original)
            parent = value if len(path) == 1 else value[path[0]]
            if number < 0:
                del parent[path[-1]]
            else:
                parent[path[-1]] = NASTY[number]
            yield value


@st.composite
def changed(draw: st.DrawFn, originals: st.SearchStrategy[Json]) -> Json:
    """A good answer of which one to three places are gone, or hold something else."""
    value = copy.deepcopy(draw(originals))
    for path in draw(st.lists(st.sampled_from(paths(value)), min_size=1, max_size=3)):
        parent = value
        try:
            for key in path[:-1]:
                parent = parent[key]
            if draw(st.booleans()) or draw(st.booleans()):
                parent[path[-1]] = draw(VALUE)
            else:
                del parent[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took this place away
    return value
