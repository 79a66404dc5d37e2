"""Erasure of a customer (GDPR): find, redact and forget personal data."""
