"""Hostile input for every door: only typed errors, or a documented 4xx, may come out."""
