"""What the assets of every source share: partitions, resources, and the account a run gives of itself."""

import warnings

import dagster as dg

# The pin in pyproject.toml makes these safe; without this every command begins with a page of them.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
