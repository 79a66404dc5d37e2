"""The mirror of customers, licenses and plans: states, reading, writing."""
