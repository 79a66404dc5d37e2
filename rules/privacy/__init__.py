"""Redaction of names in texts, and rendering of stored events."""
