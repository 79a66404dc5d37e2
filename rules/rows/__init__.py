"""The row of a day or a month: numbers, note, amendments and provenance."""
