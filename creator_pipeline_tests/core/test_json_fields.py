"""Fields of a platform's JSON: what isn't what it should be is an error that names it, and nothing is guessed."""

from datetime import UTC, datetime

import orjson
import pytest

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.json_fields import FieldReader, stored, unknown_keys

STRICT = FieldReader("Shop", "Nothing was written.")
LENIENT = FieldReader("Shop", "Nothing was written.", absent_is_null=True, shows_values=True)
ITEM = {
    "id": "s1",
    "name": "A",
    "none": None,
    "at": "2026-11-23T01:00:00+02:00",
    "on": True,
    "count": 3,
    "price": 19.99,
    "naive": "2026-11-23T01:00:00",
    "infinite": float("inf"),
}


def test_good_fields_are_read() -> None:
    """The readers of each type."""
    at = datetime(2026, 11, 22, 23, tzinfo=UTC)
    assert STRICT.text("sale", ITEM, "name") == STRICT.optional_text("sale", ITEM, "name") == "A"
    assert STRICT.time("sale", ITEM, "at") == STRICT.optional_time("sale", ITEM, "at") == at
    assert STRICT.optional_text("sale", ITEM, "none") is STRICT.optional_time("sale", ITEM, "none") is None
    assert (STRICT.flag("sale", ITEM, "on"), STRICT.optional_flag("sale", ITEM, "none")) == (True, False)
    assert (STRICT.whole("sale", ITEM, "count", 3), STRICT.decimal_micros("sale", ITEM, "price")) == (3, 19_990_000)
    assert LENIENT.optional_text("sale", ITEM, "left_out") is None
    assert LENIENT.optional_flag("sale", ITEM, "left_out") is False


@pytest.mark.parametrize(
    ("reader", "key"),
    [
        ("text", "none"),
        ("text", "count"),
        ("optional_text", "left_out"),
        ("optional_text", "count"),
        ("time", "naive"),
        ("time", "name"),
        ("optional_time", "left_out"),
        ("flag", "count"),
        ("flag", "none"),
        ("optional_flag", "left_out"),
        ("optional_flag", "name"),
        ("decimal_micros", "on"),
        ("decimal_micros", "name"),
        ("decimal_micros", "infinite"),
    ],
)
def test_a_field_that_is_missing_or_of_another_type_is_named(reader: str, key: str) -> None:
    """Guards: a renamed field that reads as nothing, and an error that quotes a buyer."""
    with pytest.raises(DataError) as caught:
        getattr(STRICT, reader)("sale", ITEM, key)
    assert caught.value.column == key
    assert caught.value.hint == "Nothing was written."
    assert "A Shop sale (s1)" in caught.value.message
    assert str(ITEM.get(key) or "?") not in str(caught.value.found)


def test_a_number_that_is_too_large_is_an_error_that_may_quote_it() -> None:
    """Guards: a value that the table's column can't hold."""
    with pytest.raises(DataError) as caught:
        LENIENT.whole("sale", ITEM, "count", 2)
    assert caught.value.found == "int '3'"
    with pytest.raises(DataError):
        LENIENT.whole("sale", ITEM, "on", 2)


def test_only_unknown_fields_are_cleaned_of_addresses() -> None:
    """Guards: an address in a new field, stored in clear; and a name of a product that is changed."""
    known, dropped = frozenset({"id", "name"}), frozenset({"email"})
    item = {"name": "ask@example.com", "new": ["to ask@example.com", {"n": 1}], "id": "s1", "email": "a@example.com"}
    kept = stored(item, known, dropped)
    assert orjson.loads(kept) == {"name": "ask@example.com", "new": ["to [address]", {"n": 1}], "id": "s1"}
    assert list(orjson.loads(kept)) == ["name", "new", "id"]
    assert list(orjson.loads(stored(item, known, dropped, ordered=True))) == ["id", "name", "new"]
    assert unknown_keys([item, {"id": "s2", "other": 1}], known | dropped) == {"new", "other"}
