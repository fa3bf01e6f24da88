"""Profile of a long run by hand: ``pytest creator_pipeline_tests/fuzz --hypothesis-profile long``."""

from hypothesis import settings

settings.register_profile("long", max_examples=500, deadline=None, derandomize=False, database=None)
