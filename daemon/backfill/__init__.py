"""Rows for the time before the daemon, computed from the dates in the source documents."""
