"""Networks (torch) and the model store (no torch)."""
