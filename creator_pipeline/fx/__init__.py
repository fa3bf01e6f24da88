"""Daily rates of exchange, and the ledger in one currency. docs/fx.md has the rules."""
