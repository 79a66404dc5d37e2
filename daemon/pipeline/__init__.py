"""Batches of changes in commit order: queue, prefetch, decide, commit, expiry, reconciliation."""
