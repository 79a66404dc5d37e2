"""Access to MongoDB: client, error translation, monitoring, collection names, pagination, cluster time."""
