"""Business rules as pure functions: no clock, no file, no database, no logging.

A rule that needs memory takes it as an argument and returns the next memory.
"""
