"""Keys of two dimensions are Dagster's own, only made faster."""

import pickle
from typing import Any

import dagster as dg
import pytest

from creator_pipeline.runtime import partition_keys

DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-04")
BOTH = dg.MultiPartitionsDefinition({"date": DAYS, "profile": dg.StaticPartitionsDefinition(["alice", "bea"])})
_OWN = dg.MultiPartitionKey.__new__


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dg.MultiPartitionKey, "__new__", dg.MultiPartitionKey.__new__)
    own = dg.MultiPartitionsDefinition.get_partition_key_from_str
    monkeypatch.setattr(dg.MultiPartitionsDefinition, "get_partition_key_from_str", own)
    partition_keys.make_quickly()


def seen(key: dg.MultiPartitionKey) -> tuple[Any, ...]:
    return type(key), str(key), key.keys_by_dimension, key.dimension_keys, [type(one) for one in key.dimension_keys]


def test_a_key_is_what_dagster_makes(quick: None) -> None:
    """Incident: ten seconds for the page of 100 profiles, most of them spent on 300,000 keys."""
    for names in ({"profile": "alice", "date": "2026-01-02"}, {"a": "", "b": "é"}, {"date": "2026-01-01"}):
        made = dg.MultiPartitionKey(names)
        assert seen(made) == seen(_OWN(dg.MultiPartitionKey, names))
        assert seen(pickle.loads(pickle.dumps(made))) == seen(made)  # noqa: S301 - our own bytes
    assert seen(BOTH.get_partition_key_from_str("2026-01-02|bea")) == seen(
        _OWN(dg.MultiPartitionKey, {"date": "2026-01-02", "profile": "bea"})
    )
    found = BOTH.filter_valid_partition_keys({"2026-01-02|bea", "2026-02-02|bea", "2026-01-02|chen", "none"})
    assert [seen(one) for one in found] == [seen(_OWN(dg.MultiPartitionKey, {"date": "2026-01-02", "profile": "bea"}))]
    assert len(BOTH.get_partition_keys()) == 6


def test_what_is_no_key_is_refused(quick: None) -> None:
    """Guards: a word that is no key of two parts, and is taken for one."""
    for wrong in ("2026-01-02", "2026-01-02|bea|more"):
        with pytest.raises(Exception, match="partition keys"):
            BOTH.get_partition_key_from_str(wrong)
        assert not BOTH.has_partition_key(wrong)
    with pytest.raises(Exception, match="str"):
        dg.MultiPartitionKey({"date": 1, "profile": "bea"})  # pyright: ignore[reportArgumentType]
