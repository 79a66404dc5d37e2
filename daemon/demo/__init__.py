"""Not for production: demo, embedded MongoDB, simulated dashboard."""
