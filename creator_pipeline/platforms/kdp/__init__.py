"""Amazon KDP report files: recognized from their contents, read exactly, refused with a reason."""
