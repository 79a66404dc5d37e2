"""Read-only checks behind `check`, `verify`, `explain`, `rollup --check` and `rules preview`."""
