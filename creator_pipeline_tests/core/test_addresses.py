"""Addresses as people write them into settings."""

from __future__ import annotations

import pytest

from creator_pipeline.core import addresses
from creator_pipeline.core.errors import DataError


@pytest.mark.parametrize(
    ("text", "usable", "unusable"),
    [
        ("ops@example.com", ["ops@example.com"], []),
        ("Ops <ops@example.com>", ["ops@example.com"], []),
        ("a@example.com, b@example.com;c@example.com", ["a@example.com", "b@example.com", "c@example.com"], []),
        ('"Doe, Jane" <jane@example.com>, b@example.com', ["jane@example.com", "b@example.com"], []),
        ("a@example.com, a@example.com,", ["a@example.com"], []),
        ("a@example.com, nobody", ["a@example.com"], ["nobody"]),
        ("jörg@müller.example", ["jörg@müller.example"], []),
        ("", [], []),
    ],
)
def test_names_and_lists_are_read_and_what_is_none_is_told(text: str, usable: list[str], unusable: list[str]):
    """OPS_EMAIL with a display name, or with two addresses, silenced every alert."""
    assert addresses.split(text) == (usable, unusable)


@pytest.mark.parametrize(
    "text", ["a@b", "@example.com", "a b@example.com", "a@example.com\r\nBcc: b@x.net", "a@@x.net"]
)
def test_what_is_no_address_is_refused(text: str):
    """A line break in an address begins a header."""
    with pytest.raises(DataError):
        addresses.check(text)
