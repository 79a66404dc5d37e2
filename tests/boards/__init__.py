"""The Grafana dashboards of deploy/grafana, made from here by `make pages`; a test holds them equal.

`panels` knows Grafana, `business` and `daemon` know what is to be seen.
"""

import json

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from tests.boards import business, daemon

BOARDS = {"business.json": business.board, "daemon.json": daemon.board}
"""Files of deploy/grafana/dashboards, and who makes them."""


NOT_SHOWN = {
    "process_virtual_memory_bytes": "what is mapped costs nothing; what is resident is shown",
}
"""Exported metrics that no panel shows, and why; docs/metrics.md lists them."""


def written(file: str) -> str:
    """The dashboard as it stands in its file."""
    made = BOARDS[file]().build()
    for number, panel in enumerate(made.panels or (), start=1):
        panel.id_val = number
    return json.dumps(made, cls=JSONEncoder, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
