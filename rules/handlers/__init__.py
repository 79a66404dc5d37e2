"""`decide`: one handler per kind of change, from changes to events, movements and the next mirror."""
