"""The letter of a month: pure composition from the numbers of its row and what happened in it."""
