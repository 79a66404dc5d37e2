"""`decide` and its handlers, one per kind of change: from changes to events, movements and the next mirror."""
