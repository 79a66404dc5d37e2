"""Read-only checks for `check`, `verify`, `explain`, `rollup --check` and `rules preview`."""
