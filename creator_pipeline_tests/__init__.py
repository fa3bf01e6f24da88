"""Tests of creator_pipeline; mirrors the package."""
