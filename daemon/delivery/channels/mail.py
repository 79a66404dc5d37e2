"""Mail with the standard library. The URL of a mailbox:

    mailtos://USER:PASSWORD@SERVER[:PORT]?to=ADDRESS&from=ADDRESS     STARTTLS on port 587, TLS on port 465
    mailto://SERVER[:PORT]?to=ADDRESS&from=ADDRESS                    no encryption, port 25

Options: `from` (default: USER), `name` (of the sender), `mode` (ssl, starttls or plain).
"""

import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from daemon import clock
from daemon.config.addresses import is_private
from daemon.delivery.channels.not_sent import NotSent

MODES = ("ssl", "starttls", "plain")
OPTIONS = ("to", "from", "name", "mode")
PORTS = {"ssl": 465, "starttls": 587, "plain": 25}
SECONDS = 20
"""Per operation; the process as a whole is killed after 60 s."""
_ENHANCED_STATUS = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b")
_ADDRESS = re.compile(r"[^\s@<>,;\"]+@[^\s@<>,;\"]+")


class Mailbox(NamedTuple):
    """Mail server, login (user "" for none), sender and recipient."""

    server: str
    port: int
    mode: str
    user: str
    password: str
    sender: Address
    recipient: str


def send(url: str, subject: str, text: str, message_id: str) -> str:
    """Send a mail to one recipient; return "". Raises NotSent."""
    mailbox = parse(url)
    mail = compose(mailbox, subject, text, message_id)
    with _session(mailbox) as session:
        session.send_message(mail)
    return ""


def check(url: str) -> str:
    """Connect and log in without sending; return what was found. Raises NotSent."""
    mailbox = parse(url)
    with _session(mailbox) as session:
        session.noop()
    encrypted = "without encryption" if mailbox.mode == "plain" else f"with {mailbox.mode}"
    return f"mail server reached {encrypted}, {'login accepted' if mailbox.user else 'no login'}"


def parse(url: str) -> Mailbox:
    """Return the mailbox of a URL. Raises NotSent with the part that is wrong, never its value."""
    try:
        parts = urlsplit(url)
        server, port = parts.hostname, parts.port
        given = parse_qsl(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        raise NotSent("the mail URL cannot be parsed; escape special characters as %40 (@), %2F (/), %3A (:)") from None
    options = dict(given)
    if [name for name, _ in given].count("to") > 1 or "," in options.get("to", ""):
        raise NotSent("to= must be one address, because a refusal of one of several would be lost; split the target")
    unknown = options.keys() - set(OPTIONS)
    if not server or unknown or parts.path.strip("/"):
        raise NotSent(f"expected mailtos://USER:PASSWORD@SERVER?to=ADDRESS with the options {', '.join(OPTIONS)} only")
    default_mode = "plain" if parts.scheme == "mailto" else "ssl" if port == PORTS["ssl"] else "starttls"
    mode = options.get("mode", default_mode)
    if mode not in MODES:
        raise NotSent(f"mode must be one of {', '.join(MODES)}")
    user = unquote(parts.username or "")
    recipient = _address(options.get("to", ""))
    sender = Address(options.get("name", "Chatello"), addr_spec=_address(options.get("from", user), "from"))
    mailbox = Mailbox(server, port or PORTS[mode], mode, user, unquote(parts.password or ""), sender, recipient)
    _require_encrypted_password(mailbox)
    return mailbox


def _address(text: str, option: str = "to") -> str:
    address = text.strip()
    if not _ADDRESS.fullmatch(address):
        raise NotSent(f"{option}= must be set to an e-mail address")
    return address


def _require_encrypted_password(mailbox: Mailbox) -> None:
    if mailbox.mode == "plain" and mailbox.password and not _is_local(mailbox.server):
        raise NotSent("the password would be sent without encryption; use mailtos://")


def _is_local(server: str) -> bool:
    try:
        return is_private(server)
    except ValueError:
        return server == "localhost"


def compose(mailbox: Mailbox, subject: str, text: str, message_id: str) -> EmailMessage:
    """Return the mail: text first, then the same as HTML. A repetition has the same Message-ID."""
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = subject
    mail["From"] = mailbox.sender
    mail["To"] = mailbox.recipient
    mail["Date"] = format_datetime(clock.now())
    mail["Message-ID"] = message_id
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text)
    lines = "<br>\n".join(map(escape, text.split("\n")))
    mail.add_alternative(f'<html lang="it"><body style="font-family: sans-serif">{lines}</body></html>', subtype="html")
    return mail


@contextmanager
def _session(mailbox: Mailbox) -> Iterator[smtplib.SMTP]:
    """Open an encrypted and authenticated connection. Raises NotSent, with the server's status but not its text."""
    context = ssl.create_default_context()
    try:
        with _connected(mailbox, context) as session:
            if mailbox.mode == "starttls":
                session.starttls(context=context)
            if mailbox.user:
                _log_in(session, mailbox)
            yield session
    except (smtplib.SMTPException, OSError) as error:
        raise NotSent(_sentence(error)) from None


def _log_in(session: smtplib.SMTP, mailbox: Mailbox) -> None:
    """Log in; some servers end the connection instead of an answer to a wrong password."""
    try:
        session.login(mailbox.user, mailbox.password)
    except smtplib.SMTPServerDisconnected:
        raise NotSent("the mail server closed the connection at the login; check user and password") from None


def _connected(mailbox: Mailbox, context: ssl.SSLContext) -> smtplib.SMTP:
    if mailbox.mode == "ssl":
        return smtplib.SMTP_SSL(mailbox.server, mailbox.port, timeout=SECONDS, context=context)
    return smtplib.SMTP(mailbox.server, mailbox.port, timeout=SECONDS)


def _sentence(error: Exception) -> str:
    match error:
        case smtplib.SMTPAuthenticationError():
            return f"the mail server rejects the login ({_status(error)}); check user and password"
        case smtplib.SMTPRecipientsRefused():
            code, text = next(iter(error.recipients.values()))
            return f"the mail server refuses the recipient ({_status(smtplib.SMTPResponseException(code, text))})"
        case smtplib.SMTPNotSupportedError():
            return "the mail server does not offer what is needed (STARTTLS or a login); check port and mode"
        case smtplib.SMTPResponseException():
            return f"the mail server refuses the mail ({_status(error)})"
        case ssl.SSLCertVerificationError():
            return f"the certificate of the mail server is not valid: {error.verify_message}"
        case ssl.SSLError():
            return "no TLS connection to the mail server; check port and mode"
        case smtplib.SMTPException():
            return "the mail server closed the connection"
    return f"cannot connect to the mail server: {error.strerror if isinstance(error, OSError) else error}"


def _status(error: smtplib.SMTPResponseException) -> str:
    """Return the numbers of an answer, such as "550 5.7.1"; its text may contain addresses."""
    raw = error.smtp_error
    found = _ENHANCED_STATUS.search(raw.decode("ascii", "replace") if isinstance(raw, bytes) else str(raw))
    return f"{error.smtp_code} {found[0]}" if found else str(error.smtp_code)
