"""The writing side: everything the daemon keeps in the database, and the one transaction that moves it."""
