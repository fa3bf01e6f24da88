"""Keys of partitions of a day and a profile, made at a fraction of what Dagster's own way costs.

The asset page makes every key of an asset anew, several times for one look: with 100 profiles of 1,000 days that is a
third of a million keys. Dagster checks the type of each part of each key, and writes the message of an error that is
hardly ever raised. ``creator_pipeline_tests/runtime/test_partition_keys.py`` compares with Dagster's own keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import dagster as dg

_DELIMITER = "|"
_KNOWN = 16_384
"""Days and profiles, each of which is part of many keys."""
_own_from_text = dg.MultiPartitionsDefinition.get_partition_key_from_str
_Part: Any = type(dg.MultiPartitionKey({"one": "1", "two": "2"}).dimension_keys[0])
# It checks both when it makes a part; what it refuses isn't remembered.
_part = lru_cache(_KNOWN)(_Part)


def _new(cls: type[dg.MultiPartitionKey], keys_by_dimension: Mapping[str, str]) -> dg.MultiPartitionKey:
    parts = [_part(name, keys_by_dimension[name]) for name in sorted(keys_by_dimension)]
    key = str.__new__(cls, _DELIMITER.join([part[1] for part in parts]))
    key.dimension_keys = parts
    return key


def _from_text(self: dg.MultiPartitionsDefinition, partition_key_str: str) -> dg.MultiPartitionKey:
    parts, dimensions = partition_key_str.split(_DELIMITER), self.partitions_defs
    if len(parts) != len(dimensions):
        return _own_from_text(self, partition_key_str)
    return dg.MultiPartitionKey({one.name: part for one, part in zip(dimensions, parts, strict=True)})


def make_quickly() -> None:
    """Let this process make keys so; a second call does nothing."""
    changed: Any = dg.MultiPartitionKey
    changed.__new__ = _new
    dg.MultiPartitionsDefinition.get_partition_key_from_str = _from_text
