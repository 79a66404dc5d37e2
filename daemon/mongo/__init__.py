"""The driver: client, error translation, monitoring, collection names, pagination, cluster time."""
