"""Messages through Apprise: Telegram, Slack, ntfy and many other services. Loaded only in the child process."""

import logging

from apprise import Apprise, AppriseAsset, NotifyFormat
from apprise.plugins import NotifyBase

from daemon.delivery.channels.not_sent import NotSent

_INERT = str.maketrans({"<": "‹", ">": "›", "@": "＠", "`": "’"})
"""Characters that services read as links, mentions or code; Apprise does not escape them for every service."""
_URL_PROBLEM = "the URL is not understood; see the list of services of Apprise, and escape special characters"


def send(url: str, subject: str, text: str, _message_id: str) -> str:
    """Send a message to one recipient; return "". Raises NotSent."""
    problems = _captured_log()
    service = _service(url)
    sender = Apprise(asset=service.asset)
    sender.add(service)
    title, body = _fitted(service, inert(subject), inert(text))
    if not sender.notify(body=body, title=title, body_format=NotifyFormat.TEXT):
        raise NotSent(f"{service.service_name}: {'; '.join(problems) or 'refused without a reason'}")
    return ""


def check(url: str) -> str:
    """Parse the URL; return what was found. Raises NotSent."""
    problems = _captured_log()
    try:
        return f"{_service(url).service_name}: URL understood, not tried"
    except NotSent as problem:
        raise NotSent("; ".join([str(problem), *problems])) from None


def inert(text: str) -> str:
    """Return text that is no link, mention or code in any service: it may contain a customer's name."""
    return text.translate(_INERT).replace("](", "] (")


def _fitted(service: NotifyBase, title: str, body: str) -> tuple[str, str]:
    """Return title and text within the limits of a service: it would refuse a longer message at each attempt.

    A service without titles gets none, because the text is complete without it.
    """
    title = _cut(title, service.title_maxlen) if service.title_maxlen > 0 else ""
    return title, _cut(body, service.body_maxlen - (len(title) + 2 if service.overflow_amalgamate_title else 0))


def _cut(text: str, longest: int) -> str:
    """Return the first lines of a text that fit (if there is only one, its beginning), with "…" if there are more.

    Characters beyond U+FFFF, such as emoji, count twice: Telegram measures in UTF-16.
    """
    encoded = text.encode("utf-16-le", "replace")
    if len(encoded) <= 2 * longest:
        return text
    start = encoded[: 2 * (longest - 2)].decode("utf-16-le", "ignore")
    lines = start.rpartition("\n")[0]
    return f"{lines}\n…" if lines else f"{start}…"


def _service(url: str) -> NotifyBase:
    asset = AppriseAsset(app_id="chatello-analytics", app_desc="Chatello", image_url_mask="", image_url_logo="")
    service = Apprise.instantiate(url, asset=asset)
    if service is None:
        raise NotSent(_URL_PROBLEM)
    service.retry = 0  # the daemon has its own schedule
    if len(service) > 1:
        raise NotSent("the URL has several recipients; a failure of one would repeat the message for all: split it")
    return service


def _captured_log() -> list[str]:
    """Return a list that receives the warnings and errors of Apprise from now on."""
    lines: list[str] = []

    class _Capture(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger = logging.getLogger("apprise")
    logger.handlers[:] = [_Capture(logging.WARNING)]
    logger.propagate = False
    return lines
