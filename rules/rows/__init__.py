"""A row of a day or month: its numbers, note, amendments and provenance."""
