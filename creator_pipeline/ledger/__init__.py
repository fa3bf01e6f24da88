"""The ledger: what every platform's rows become."""
