"""What the assets of every source share: partitions, resources, and the account a run gives of itself."""
