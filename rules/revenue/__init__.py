"""Revenue: prices per month, currency rates, MRR movements, sums per day."""
