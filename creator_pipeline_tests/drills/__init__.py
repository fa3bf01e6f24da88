"""Drills: the whole system under load and faults, one command each, compared with the platforms' own figures."""
