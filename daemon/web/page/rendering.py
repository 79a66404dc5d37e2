"""Templates of the pages, and what every page shows: navigation, state of the system, time of its numbers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

from fastapi.responses import HTMLResponse

from daemon.mongo.client import bounded
from daemon.web.context import WebContext
from daemon.web.page import texts
from daemon.web.page.environment import environment
from daemon.web.page.parts import alarm, status
from daemon.web.page.snapshot import Snapshot, open_snapshot

View = Mapping[str, object]

DATABASE_TIMEOUT_SECONDS = 5.0
"""After so long the page reports that the database does not respond."""


class Renderer:
    """Renders the pages that need the database. `section` is a key of `texts.NAVIGATION`, or "" outside of it."""

    def __init__(self, context: WebContext) -> None:
        self.context = context

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Open the snapshot that all numbers of one answer come from, within the time limit of a page."""
        with bounded(DATABASE_TIMEOUT_SECONDS), open_snapshot(self.context) as snapshot:
            yield snapshot

    def page(
        self, template: str, section: str, snapshot: Snapshot, view: View, status: int = HTTPStatus.OK
    ) -> HTMLResponse:
        common = {**self._common(section), **self._system(snapshot)}
        return HTMLResponse(environment().get_template(template).render({**common, **view}), status)

    def _common(self, section: str) -> View:
        return {"section": section, "may_edit": bool(self.context.config().http.token.get_secret_value())}

    def _system(self, snapshot: Snapshot) -> View:
        lines = status.status_lines(self.context, snapshot.now)
        worst = alarm.current(self.context, snapshot)
        return {
            "today": snapshot.today,
            "as_of": texts.AS_OF.format(time=snapshot.time_text) if snapshot.current else "",
            "ledger_line": snapshot.current.line if snapshot.current else None,
            "alarm": worst,
            "unreachable": alarm.unreachable(snapshot),
            "status_lines": lines,
            "pill_text": worst.word if worst else status.summary(lines),
            "is_well": worst is None and not any(line.hint for line in lines),
        }
