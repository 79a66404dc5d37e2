"""The ledger of movements: reading, sums per day, totals, retention."""
