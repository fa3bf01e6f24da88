"""A creator's sales from Gumroad, Whop and Amazon KDP in one ledger, as Dagster assets."""

__version__ = "0.1.0"
