"""Where things lie in the checkout."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "creator_pipeline"
FIXTURES = Path(__file__).parents[1] / "fixtures"
