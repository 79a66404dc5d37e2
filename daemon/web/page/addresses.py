"""Addresses of the pages that explain numbers and facts, of days, customers and events."""

from datetime import date
from urllib.parse import quote, urlencode

from daemon.mongo.typed_ids import typed_id
from rules.model.changes import DocId

WHY = "/analytics/perche"
DAYS = "/analytics/giorni"
EVENTS = "/analytics/eventi"
CUSTOMERS = "/analytics/clienti"
MONTHS = "/analytics/mesi"
LETTER_FILE = "/analytics/scarica/lettera-"


def why(when: object, number: str, *, line: int | None = None, skip: int = 0) -> str:
    """Return the address that explains a number of `adesso`, a day or a month."""
    query = {**({"riga": line} if line else {}), **({"salta": skip} if skip else {})}
    return f"{WHY}/{when}/{quote(number, safe='')}{'?' + urlencode(query) if query else ''}"


def fact(day: date, part: str) -> str:
    """Return the address that explains a fact of a day's note: `part` is its type or the id of its event."""
    return f"{WHY}/{day}/nota/{quote(part, safe='')}"


def day(day: date) -> str:
    return f"{DAYS}/{day}"


def month(day: date) -> str:
    """Return the address of the letter of the month of a day."""
    return f"{MONTHS}/{day:%Y-%m}"


def letter_file(day: date) -> str:
    """Return the address of the letter of the month of a day as a file."""
    return f"{LETTER_FILE}{day:%Y-%m}.html"


def customer(customer_id: DocId) -> str:
    return f"{CUSTOMERS}/{typed_id(customer_id)}"


def events(**filters: object) -> str:
    """Return the address of the list of events; filters without a value are left out."""
    query = urlencode({name: value for name, value in filters.items() if value})
    return f"{EVENTS}{'?' + query if query else ''}"
