"""Asks the daemon in this container whether it gets on; exits 0 if it does. Needs nothing but Python."""

import http.client
import os
import sys

connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("CHATELLO_HTTP__PORT", "5013")), timeout=5)
try:
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    sys.stdout.write(answer.read(1000).decode("utf-8", "replace"))
    sys.exit(answer.status != http.client.OK)
except OSError as problem:
    sys.exit(f"no answer: {problem}")
