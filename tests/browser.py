"""A real Chromium, headless, and visits in it that notice whatever a page should not do."""

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
    """Who visits, and what: `origin` without a slash at its end, the token as the password of HTTP Basic."""

    browser: Browser
    origin: str
    token: str = ""

    @contextmanager
    def visit(self, path: str = "/analytics", expected: str = "401", **looks: Any) -> Iterator[Page]:
        """A page open in a context of its own; nothing may have gone wrong, nor left the origin, when it is closed.

        Of the statuses that a browser complains about only `expected` is none: HTTP Basic begins with a 401.
        """
        looks = {"viewport": DESKTOP, "reduced_motion": "reduce", **looks}
        if self.token:
            looks["http_credentials"] = {"username": "owner", "password": self.token}
        context = self.browser.new_context(**looks)
        context.set_default_timeout(15_000)
        page = context.new_page()
        wrong: list[str] = []
        page.on("request", lambda request: wrong.extend(_strays(request, self.origin)))
        page.on("console", lambda line: wrong.extend(_complaints(line, expected)))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(f"a dialog: {dialog.message}"))
        try:
            page.goto(self.origin + path)
            yield page
        finally:
            context.close()
        assert not wrong, "\n".join(wrong)


def _strays(request: Request, origin: str) -> list[str]:
    return [] if request.url.startswith((f"{origin}/", "data:")) else [f"left the origin: {request.url}"]


def _complaints(line: ConsoleMessage, expected: str) -> list[str]:
    """Errors and warnings; violations of the policy are among them."""
    is_expected = f"status of {expected} " in line.text
    return [line.text] if line.type in ("error", "warning") and not is_expected else []


@contextmanager
def chromium() -> Iterator[Browser]:
    program = tool("chromium")  # first of all: without its libraries Playwright's own driver does not even start
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()
