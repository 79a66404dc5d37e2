"""Heartbeat: a request to an external monitor, which raises an alarm when it is no longer requested."""

from daemon.delivery.channels.http_client import HttpClient, RequestFailed
from daemon.delivery.channels.webhook import USER_AGENT

SECONDS = 10
REDIRECTS = range(301, 309)


def send_heartbeat(url: str) -> str:
    """Request the URL once; return "" on success, else the problem in one sentence without the URL.

    One redirect is followed, and only to https.
    """
    try:
        location = _request(url)
        if location and _request(location):
            return "delivery.heartbeat_url: more than one redirect; set it to the final address"
    except RequestFailed as failed:
        return f"delivery.heartbeat_url: {failed}"
    return ""


def _request(url: str) -> str:
    """Return where an answer redirects to, "" if it is a success. Raises RequestFailed."""
    client = HttpClient(url, SECONDS)
    try:
        answer = client.request("GET", {"User-Agent": USER_AGENT})
    finally:
        client.close()
    location = answer.headers.get("Location", "") if answer.status in REDIRECTS else ""
    if location.startswith("https://") or answer.status in range(200, 300):
        return location
    raise RequestFailed(f"{client.host} answers HTTP {answer.status}")
