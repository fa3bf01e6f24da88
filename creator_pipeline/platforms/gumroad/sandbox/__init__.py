"""Stand-in of the platform, for demos and tests."""
