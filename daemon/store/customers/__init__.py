"""Customers as the page and the API show them: list, search, history, and what to do today. Read-only."""
