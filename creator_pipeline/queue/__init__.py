"""Redis's three jobs (queue, cache, limits), each with its failure path."""
