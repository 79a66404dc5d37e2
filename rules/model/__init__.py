"""Types of the core: documents, changes, states, events, ledger lines, decisions."""
