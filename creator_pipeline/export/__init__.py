"""Parquet files for other warehouses. docs/export.md is the contract."""
