"""The commands of ``creator-pipeline``, a file each."""
