"""Health check of the container: exit with 0 if /healthz of the daemon answers 200. Standard library only."""

import http.client
import os
import sys

connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("CHATELLO_HTTP__PORT", "5013")), timeout=5)
try:
    connection.request("GET", "/healthz")
    response = connection.getresponse()
    sys.stdout.write(response.read(1000).decode("utf-8", "replace"))
    sys.exit(response.status != http.client.OK)
except OSError as problem:
    sys.exit(f"no response from the daemon: {problem}")
