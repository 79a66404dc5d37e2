"""Configuration: schema, loading from file, environment and credentials, reload. Kept free of imports."""
