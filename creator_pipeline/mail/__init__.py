"""Mail: templates, the outbox that sends each event's mail exactly once, auth hook, delivery truth. No Dagster."""
