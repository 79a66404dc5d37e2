"""Transport of deliveries: facts to systems (webhooks) and messages to people (mail and other services)."""
