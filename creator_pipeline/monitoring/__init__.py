"""Doctor, health and smoke."""
