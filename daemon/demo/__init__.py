"""Everything that is not production: demo, embedded MongoDB, simulated dashboard."""
