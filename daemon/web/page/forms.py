"""Fields of the pages' forms."""

from collections.abc import Mapping
from urllib.parse import parse_qs

from fastapi import Request

MAX_FIELDS = 8


async def form_fields(request: Request) -> Mapping[str, str]:
    """Return the fields of a URL-encoded form; of a repeated field the last value."""
    body = (await request.body()).decode("utf-8", "replace")
    try:
        fields = parse_qs(body, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return {}
    return {name: values[-1] for name, values in fields.items()}
