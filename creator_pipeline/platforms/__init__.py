"""The platforms, a folder each."""
