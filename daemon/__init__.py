"""The runtime around the rules: thin adapters for the database, the clock, the network and the init system."""
