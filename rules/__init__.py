"""The business rules: pure values in, pure values out.

Nothing here reads a clock, a file or a database, and nothing logs. A rule that needs memory takes it
as an argument and returns the next one.
"""
