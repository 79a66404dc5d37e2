"""Messages to people, composed from delivered facts and from names and numbers that are handed in. Pure; in Italian."""
