"""Compressed and cached responses."""

import gzip

import httpx2
import pytest

from daemon.web.app import COMPRESSED_BYTES

PATHS = ("/analytics", "/metrics", "/openapi.json", "/docs/assets/swagger-ui.css", "/static/page.css")


def raw(http_client: httpx2.Client, path: str, encoding: str) -> tuple[httpx2.Headers, bytes]:
    """Return the headers and the body as it was sent."""
    with http_client.stream("GET", path, headers={"Accept-Encoding": encoding}) as answer:
        return answer.headers, b"".join(answer.iter_raw())


@pytest.mark.parametrize("path", PATHS)
def test_responses_above_a_kilobyte_are_compressed_for_those_who_ask_for_it(
    http_client: httpx2.Client, path: str
) -> None:
    headers, body = raw(http_client, path, "gzip")
    plain_headers, plain = raw(http_client, path, "identity")

    assert (headers["Content-Encoding"], plain_headers.get("Content-Encoding")) == ("gzip", None)
    assert headers["Vary"] == plain_headers["Vary"] == "Accept-Encoding"
    assert len(plain) > COMPRESSED_BYTES and len(body) < len(plain) / 2
    if path not in ("/analytics", "/metrics"):  # these contain times
        assert gzip.decompress(body) == plain


def test_short_responses_and_event_streams_are_not_compressed(http_client: httpx2.Client) -> None:
    for path in ("/healthz", "/nowhere"):
        assert "Content-Encoding" not in http_client.get(path, headers={"Accept-Encoding": "gzip"}).headers
    with http_client.stream("GET", "/api/events/stream", headers={"Accept-Encoding": "gzip"}) as answer:
        assert "Content-Encoding" not in answer.headers
        assert next(answer.iter_raw()).startswith(b"retry:")


def test_the_documentation_is_cached_and_its_files_until_they_change(http_client: httpx2.Client) -> None:
    page = http_client.get("/docs")
    urls = [part.split('"')[0] for part in page.text.split('="')[1:] if part.startswith(("/docs/assets/", "/static/"))]
    cached = {url: http_client.get(url).headers["Cache-Control"] for url in urls}
    other = http_client.get("/docs/assets/swagger-ui.css?v=other")

    assert page.headers["Cache-Control"] == "private, max-age=3600"
    assert len(cached) == 3 and all("immutable" in value for value in cached.values())
    assert other.headers["Cache-Control"] == "no-cache"
    assert http_client.get(urls[0], headers={"If-None-Match": other.headers["ETag"]}).status_code == 304
