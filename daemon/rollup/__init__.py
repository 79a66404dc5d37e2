"""Rollup: missing days and months, computation of rows, retention."""
