"""Book numbers: their form and their check digits."""

from __future__ import annotations

import re

ISBN13 = re.compile(r"97[89][0-9]{10}")


def isbn13_valid(digits: str) -> bool:
    """Whether the check digit of an ISBN-13 is right."""
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10 == 0


def isbn10_valid(digits: str) -> bool:
    """Whether it is an ISBN-10 whose check digit is right."""
    if not digits[:9].isdigit() or digits[9] not in "0123456789X":
        return False
    values = [10 if digit == "X" else int(digit) for digit in digits]
    return sum(value * (10 - place) for place, value in enumerate(values)) % 11 == 0


def is_print(identifier: str) -> bool:
    """Whether a product id is that of a printed book: an ISBN, or an ISBN-10 that serves as ASIN."""
    return bool(ISBN13.fullmatch(identifier)) or isbn10_valid(identifier)
