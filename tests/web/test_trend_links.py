"""The numbers of the charts of Andamento are links, and those of the running month stand at their ledger line."""

import re
from datetime import date
from html import unescape

import httpx2

from tests.shop_history import ShopHistory, local
from tests.web.test_months import NOW, life, page

__all__ = ["life", "page"]


def section(html: str, name: str) -> str:
    """Return a chart's part of the page."""
    start = html.index(f'id="{name}"')
    return unescape(html[start : html.index("</section>", start)])


def test_a_sale_in_between_does_not_change_what_the_movements_of_the_running_month_lead_to(
    page: httpx2.Client, life: ShopHistory
) -> None:
    life.license(local(date(2025, 6, 30), 11), "L-one", "carla", "agency")
    life.store(NOW)
    shown = section(page.get("/analytics/andamento").text, "movements")
    found = set(re.findall(r'href="(/analytics/perche/2025-06/[^"]+)"', shown))
    before = {address: page.get(address).text for address in found}
    life.license(local(date(2025, 6, 30), 11, 30), "L-two", "carla", "agency")
    life.store(NOW)

    assert len(found) == 5
    for address, answer in before.items():
        assert figure(page.get(address).text) == figure(answer), address
    at_the_line = next(address for address in found if "/movimenti.espansione?" in address)
    assert figure(page.get(at_the_line.partition("?")[0]).text) != figure(before[at_the_line])


def figure(html: str) -> str:
    """Return the number that a page explains."""
    return html.partition("<h1")[2].partition("</h1>")[0]


def test_the_numbers_of_the_period_before_lead_to_their_own_day(page: httpx2.Client) -> None:
    shown = section(page.get("/analytics/andamento?periodo=30&confronto=si").text, "history")
    newest = shown.partition("<tbody>")[2].partition("</tr>")[0]
    current, previous = re.findall(r'<a class="why" href="([^"]+)">([^<]+)</a>', newest)

    assert current[0] == "/analytics/perche/2025-06-29/mrr"
    assert previous[0] == "/analytics/perche/2025-05-30/mrr"
    assert previous[1] in unescape(page.get(previous[0]).text)
