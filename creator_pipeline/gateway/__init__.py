"""The gateway: what the outside world may call. Knows HTTP serving, not Dagster."""
