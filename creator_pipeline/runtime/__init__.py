"""What the assets of every source share: partitions, resources, and what a run records about itself."""
