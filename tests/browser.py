"""Headless Chromium, and page visits that fail on anything a page must not do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from tests.system_tools import tool

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
]
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


class Visitor(NamedTuple):
    """A browser and the site to visit. `origin` has no trailing slash; the token is the password of HTTP Basic."""

    browser: Browser
    origin: str
    token: str = ""

    @contextmanager
    def visit(self, path: str = "/analytics", expected: str = "401", **looks: Any) -> Iterator[Page]:
        """Open a page in its own context; on exit assert that there was no error and no request to another origin.

        `expected` is the only error status that is allowed; by default the 401 with which HTTP Basic begins.
        """
        looks = {"viewport": DESKTOP, "reduced_motion": "reduce", **looks}
        if self.token:
            looks["http_credentials"] = {"username": "owner", "password": self.token}
        context = self.browser.new_context(**looks)
        context.set_default_timeout(15_000)
        page = context.new_page()
        problems: list[str] = []
        page.on("request", lambda request: problems.extend(_requests_to_other_origins(request, self.origin)))
        page.on("console", lambda line: problems.extend(_errors(line, expected)))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(f"a dialog: {dialog.message}"))
        try:
            page.goto(self.origin + path)
            yield page
        finally:
            context.close()
        assert not problems, "\n".join(problems)


def _requests_to_other_origins(request: Request, origin: str) -> list[str]:
    return [] if request.url.startswith((f"{origin}/", "data:")) else [f"left the origin: {request.url}"]


def _errors(line: ConsoleMessage, expected: str) -> list[str]:
    """Return errors and warnings, which include violations of the Content-Security-Policy."""
    is_expected = f"status of {expected} " in line.text
    return [line.text] if line.type in ("error", "warning") and not is_expected else []


@contextmanager
def chromium() -> Iterator[Browser]:
    program = tool("chromium")  # first: Playwright's driver does not start without its libraries
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()
