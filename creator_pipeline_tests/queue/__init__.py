"""Tests of the Redis room."""
