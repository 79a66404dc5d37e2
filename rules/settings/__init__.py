"""Settings of the rules and the catalog of Italian texts."""
