"""Daily and monthly rows: due days, row computation, retention."""
