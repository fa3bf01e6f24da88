"""``python -m creator_pipeline`` is ``creator-pipeline``."""

from creator_pipeline.cli import main

main()
