"""Types of the rules: documents, changes, states, events, ledger lines, decisions."""
