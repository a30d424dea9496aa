"""Training (needs the extra `train`)."""
