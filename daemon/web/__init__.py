"""The doors over HTTP: API, page, vital signs. A door asks the rooms below and answers; it decides no business fact.

Whoever knocks is a stranger: `gate` lets in, `armour` bounds what comes and dresses what goes, and no answer ever says
back what it was sent. Routes that read the database are plain functions: they run in threads and never hold the loop.
"""
