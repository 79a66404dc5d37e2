"""Storage: the daemon's collections, the rows of `historical_analytics`, and the transaction that commits a batch."""
