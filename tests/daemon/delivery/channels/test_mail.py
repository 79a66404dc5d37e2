"""Mail against a real SMTP server on loopback: form, login, encryption, refusals."""

import socket
import ssl
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope

from daemon.delivery.channels import mail
from daemon.delivery.channels.not_sent import NotSent
from daemon.delivery.channels.notifier import Notifier
from daemon.delivery.channels.outcome import OutcomeKind
from rules.messages.model import Message

MESSAGE = Message("morning-2026-11-26", "Gio 26/11: MRR € 217,70 (+7,99) 📈", "🎉 Nuovo cliente: Nuñez\nMRR: € 217,70")


class Receiver:
    """Keeps what was sent; refuses recipients that begin with `no`."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address.startswith("no"):
            return f"550 5.7.1 {address} canary is not wanted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        return "250 OK"

    @property
    def mails(self) -> list[EmailMessage]:
        contents = [envelope.content for envelope in self.envelopes]
        return [
            message_from_bytes(content, policy=policy.default) for content in contents if isinstance(content, bytes)
        ]


Start = Callable[..., int]


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def start(receiver: Receiver) -> Iterator[Start]:
    """Start the server with options of aiosmtpd; returns its port."""
    running: list[Controller] = []

    def begin(**options: Any) -> int:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]  # the library cannot use port 0
        running.append(Controller(receiver, hostname="127.0.0.1", port=port, **options))
        running[-1].start()
        return port

    yield begin
    for controller in running:
        controller.stop()


def send(url: str, message: Message = MESSAGE) -> Any:
    return Notifier("owner", url).send(message)


def test_a_mail_has_text_first_html_second_and_an_id_of_its_own(receiver: Receiver, start: Start) -> None:
    url = f"mailto://127.0.0.1:{start()}?to=owner@example.it&from=chatello@example.it"
    assert send(url).kind is OutcomeKind.DELIVERED
    assert send(url).kind is OutcomeKind.DELIVERED
    assert send(url, MESSAGE._replace(key="other")).kind is OutcomeKind.DELIVERED
    first, repeated, other = receiver.mails

    assert receiver.envelopes[0].rcpt_tos == ["owner@example.it"]
    assert (first["Subject"], first["From"]) == (MESSAGE.subject, "Chatello <chatello@example.it>")
    assert [part.get_content_type() for part in first.iter_parts()] == ["text/plain", "text/html"]
    text, html = (part.get_content() for part in first.iter_parts())
    assert text.splitlines() == MESSAGE.text.splitlines()
    assert "Nuñez<br>\r\nMRR" in html
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["Date"].datetime.tzinfo is not None
    assert first["Message-ID"] == repeated["Message-ID"] != other["Message-ID"]


def test_a_hostile_name_adds_no_header_and_no_markup(receiver: Receiver, start: Start) -> None:
    hostile = "Rossi\r\nBcc: evil@example.it\r\n\r\n<script>x</script> https://evil.example t.me/x\n.\nQUIT"
    url = f"mailto://127.0.0.1:{start()}?to=owner@example.it&from=chatello@example.it"
    assert send(url, Message("k", hostile, hostile)).kind is OutcomeKind.DELIVERED
    (received,) = receiver.mails
    text, html = (part.get_content() for part in received.iter_parts())

    assert received["Bcc"] is None
    assert received["Subject"] == (
        "Rossi Bcc: evil@example\u2024it <script>x</script> https\u2236//evil\u2024example t\u2024me/x . QUIT"
    )
    assert receiver.envelopes[0].rcpt_tos == ["owner@example.it"]
    assert text.splitlines()[-2:] == [".", "QUIT"]
    assert "<script>" not in html
    for link in ("https://", "evil.example", "t.me"):
        assert link not in text + html


def login(user: str, password: str) -> Any:
    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (user.encode(), password.encode()), handled=False)

    return authenticate


@pytest.mark.usefixtures("_trusted")
@pytest.mark.filterwarnings("ignore:.*login_data:DeprecationWarning")
def test_starttls_with_a_login(receiver: Receiver, start: Start, tls_server: ssl.SSLContext) -> None:
    port = start(tls_context=tls_server, authenticator=login("user@example.it", "p@ss/word"), auth_required=True)
    right = f"mailtos://user%40example.it:p%40ss%2Fword@localhost:{port}?to=owner@example.it"
    wrong = right.replace("word", "canary")

    assert Notifier("owner", right).check().answer == "mail server reached with starttls, login accepted"
    assert receiver.mails == []
    assert send(right).kind is OutcomeKind.DELIVERED
    assert receiver.mails[0]["From"] == "Chatello <user@example.it>"
    assert send(wrong).problem == "the mail server rejects the login (535 5.7.8); check user and password"


@pytest.mark.usefixtures("_trusted")
def test_tls_from_the_first_byte(receiver: Receiver, start: Start, tls_server: ssl.SSLContext) -> None:
    port = start(ssl_context=tls_server)
    url = f"mailtos://localhost:{port}?to=owner@example.it&from=a@example.it&mode=ssl"

    assert send(url).kind is OutcomeKind.DELIVERED
    assert len(receiver.mails) == 1


def test_an_untrusted_certificate_or_no_tls_at_all_sends_nothing(
    receiver: Receiver, start: Start, tls_server: ssl.SSLContext
) -> None:
    options = "?to=owner@example.it&from=a@example.it"
    untrusted = send(f"mailtos://localhost:{start(tls_context=tls_server)}{options}")
    plain = send(f"mailtos://localhost:{start()}{options}")

    assert untrusted.problem == "the certificate of the mail server is not valid: self-signed certificate"
    assert plain.problem.startswith("the mail server does not offer what is needed")
    assert receiver.mails == []


def test_a_refused_recipient_is_a_failure_without_the_address(receiver: Receiver, start: Start) -> None:
    refused = send(f"mailto://127.0.0.1:{start()}?from=a@example.it&to=no1@example.it")

    assert refused.problem == "the mail server refuses the recipient (550 5.7.1)"
    assert receiver.mails == []


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mailtos://user:canary@smtp.example.it", "to= must be set to an e-mail address"),
        ("mailtos://user:canary@smtp.example.it?to=a@example.it", "from= must be set to an e-mail address"),
        ("mailtos://smtp.example.it?to=canary&from=a@b.it", "to= must be set to an e-mail address"),
        ("mailtos://smtp.example.it?to=a@b.it%0d%0aBcc:c@d.it&from=a@b.it", "to= must be set to an e-mail address"),
        ("mailtos://smtp.example.it?smtp=canary&to=a@b.it", "with the options to, from, name, mode only"),
        ("mailtos://smtp.example.it/canary?to=a@b.it", "with the options to, from, name, mode only"),
        ("mailtos://smtp.example.it?to=canary@b.it,c@d.it&from=a@b.it", "to= must be one address"),
        ("mailtos://smtp.example.it?to=canary@b.it%2Cc@d.it&from=a@b.it", "to= must be one address"),
        ("mailtos://smtp.example.it?to=canary@b.it&to=c@d.it&from=a@b.it", "to= must be one address"),
        ("mailtos://smtp.example.it:canary?to=a@b.it", "cannot be parsed"),
        ("mailtos://smtp.example.it?to=a@b.it&from=a@b.it&mode=canary", "mode must be one of ssl, starttls, plain"),
        ("mailto://u:canary@smtp.example.it?to=a@b.it&from=a@b.it", "would be sent without encryption; use mailtos://"),
        ("mailto://u:canary@8.8.8.8?to=a@b.it&from=a@b.it", "would be sent without encryption; use mailtos://"),
    ],
)
def test_a_wrong_mail_url_is_explained_without_its_values(url: str, sentence: str) -> None:
    with pytest.raises(NotSent) as raised:
        mail.parse(url)

    assert sentence in str(raised.value)
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "mode", "port"),
    [
        ("mailtos://u%40b.it:p@h?to=a@b.it", "starttls", 587),
        ("mailtos://u%40b.it:p@h:465?to=a@b.it", "ssl", 465),
        ("mailtos://u%40b.it:p@h:2525?to=a@b.it", "starttls", 2525),
        ("mailto://127.0.0.1?to=a@b.it&from=c@d.it", "plain", 25),
        ("mailto://h?to=a@b.it&from=c@d.it&mode=ssl", "ssl", 465),
    ],
)
def test_scheme_port_and_mode_decide_about_the_encryption(url: str, mode: str, port: int) -> None:
    mailbox = mail.parse(url)

    assert (mailbox.mode, mailbox.port) == (mode, port)
