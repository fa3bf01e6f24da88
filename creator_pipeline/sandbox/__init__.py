"""Local stand-ins of the platforms, for demos and as the test-suite's only fake; never imported by production code."""
