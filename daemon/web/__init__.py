"""HTTP interface: API, page, probes. It reads through the store and decides no business fact.

Requests are untrusted: `middleware.access` authorizes them, `body_limits` bounds them, `security_headers` adds response
headers, and no response repeats what was sent. Routes that read the database are plain functions: they run in threads
and never block the event loop.
"""
