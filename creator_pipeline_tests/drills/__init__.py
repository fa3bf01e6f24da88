"""Long drills as scripts, each with a small version in the suite."""
