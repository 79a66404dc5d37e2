"""Who is let in: by which name, from where, with which token; and what wrong guesses cost."""

import socket
from typing import Any

import pytest

from daemon.config.loader import load
from daemon.config.schema import Http
from daemon.demo.embedded_mongo import free_port
from daemon.errors import ConfigurationError
from daemon.mongo.types import Database
from daemon.web import listener
from daemon.web.middleware import token_auth
from daemon.web.middleware.access import is_foreign, name_of, peer_of
from daemon.web.middleware.security_headers import SECURITY_HEADERS
from daemon.web.middleware.token_auth import FailedAttempts
from tests.web.conftest import BEARER, TOKEN, Doors

EVENT = {"event_type": "partnership", "description": "Accordo"}
CREATE = "/api/create_business_event"
LIST = "/api/get_recent_events"


def test_reading_is_free_on_this_machine_and_writing_never(doors: Doors) -> None:
    with doors(headers={}) as door:
        assert door.get(LIST).status_code == 200
        refused = door.post(CREATE, json=EVENT)
        assert (refused.status_code, refused.json()["success"]) == (401, False)
        assert refused.headers["WWW-Authenticate"].startswith("Basic")
        assert door.post(CREATE, json=EVENT, headers={"Authorization": f"Bearer {TOKEN}x"}).status_code == 401
        assert door.post(CREATE, json=EVENT, headers=BEARER).status_code == 200
        assert door.post(CREATE, json=EVENT, auth=("whoever", TOKEN)).status_code == 200


def test_without_a_token_writing_is_off_and_says_so(doors: Doors, database: Database) -> None:
    with doors(token="") as door:
        refused = door.post(CREATE, json=EVENT)
        empty = door.post(CREATE, json=EVENT, auth=("x", ""))

    assert (refused.status_code, empty.status_code) == (403, 403)
    assert refused.json() == {
        "success": False,
        "error": "writing is switched off: no http-token is configured (docs/api.md)",
    }
    assert database.business_events.count_documents({}) == 0


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "x-forwarded-host", "X-Forwarded-Proto", "Via"]
)
def test_behind_a_proxy_reading_needs_the_token_too(doors: Doors, header: str) -> None:
    with doors(headers={header: "for=1.2.3.4"}) as door:
        assert door.get("/metrics").status_code == 401
        assert door.get(LIST).status_code == 401
        assert door.get("/docs").status_code == 401
        assert door.get("/healthz").status_code == 200
        assert door.get(LIST, auth=("x", TOKEN)).status_code == 200


def test_a_configured_name_is_answered_with_the_token_and_others_are_not(doors: Doors) -> None:
    with doors(headers={}, hosts=["analytics.example.com"]) as door:
        for host, expected in {
            "127.0.0.1": 200,
            "localhost:8080": 200,
            "[::1]:1": 200,
            "LOCALHOST": 200,
            "analytics.example.com": 401,
            "Analytics.Example.com:443": 401,
            "evil.example": 421,
            "127.0.0.1.evil.example": 421,
            "localhost@evil.example": 421,
            "10.0.0.1": 421,
            "[": 421,
            "": 421,
        }.items():
            assert door.get(LIST, headers={"Host": host}).status_code == expected, host
        assert door.get(LIST, headers={"Host": "analytics.example.com", **BEARER}).status_code == 200


def test_why_it_is_not_ready_is_told_to_who_is_near_alone(doors: Doors) -> None:
    with doors(headers={}, role="retrying", reason="host:27017 is away") as door:
        near = door.get("/readyz")
        far = door.get("/readyz", headers={"X-Forwarded-For": "1.2.3.4"})

    assert (near.status_code, near.json()["problems"]) == (503, ["retrying: host:27017 is away"])
    assert (far.status_code, far.json()["problems"]) == (503, [])


def test_on_every_address_any_address_is_a_name_and_reading_needs_the_token(doors: Doors) -> None:
    with doors(headers={}, host="0.0.0.0") as door:
        assert door.get(LIST).status_code == 401
        assert door.get("/metrics").status_code == 401
        assert door.get("/healthz").status_code == 200
        assert door.get(LIST, headers={"Host": "10.0.0.1:5013", **BEARER}).status_code == 200
        assert door.get(LIST, headers={"Host": "evil.example", **BEARER}).status_code == 421


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
    ],
)
def test_another_sites_page_cannot_write_though_the_browser_knows_the_password(
    door: Any, headers: dict[str, str], expected: int
) -> None:
    assert door.post(CREATE, json=EVENT, headers=headers).status_code == expected


def test_another_sites_page_may_link_here_but_not_read() -> None:
    assert not is_foreign("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"})
    assert is_foreign("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"})
    assert is_foreign("GET", {"origin": "http://evil.example", "host": "127.0.0.1:5013"})
    assert not is_foreign("POST", {"origin": "http://127.0.0.1:5013", "host": "127.0.0.1:5013"})
    assert not is_foreign("POST", {"host": "127.0.0.1:5013"})


def test_every_answer_is_dressed_and_none_invites_other_sites(door: Any) -> None:
    for answer in (door.get(LIST), door.get("/nowhere"), door.post(CREATE, content=b"x"), door.put("/metrics")):
        assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
        assert "server" not in answer.headers
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "unsafe" not in SECURITY_HEADERS["Content-Security-Policy"]


def test_ten_different_guesses_make_a_peer_wait_and_the_same_one_again_does_not(doors: Doors) -> None:
    with doors(headers={}) as door:

        def guess(token: str) -> int:
            return door.post(CREATE, json=EVENT, headers={"Authorization": f"Bearer {token}"}).status_code

        assert {guess("stale") for _ in range(30)} == {401}
        assert guess(TOKEN) == 200
        assert [guess(f"wrong-{n}") for n in range(11)] == [401] * 9 + [429] * 2
        assert guess(TOKEN) == 429
        refused = door.post(CREATE, json=EVENT, headers=BEARER)
        assert 0 < int(refused.headers["Retry-After"]) <= 60
        assert door.get(LIST).status_code == 200


def test_guesses_are_forgotten_after_a_minute_and_take_bounded_memory() -> None:
    guesses = FailedAttempts()
    for number in range(token_auth.GUESSES):
        guesses.missed("a", str(number), now=float(number))

    assert guesses.wait_seconds("a", now=30) == 30
    assert guesses.wait_seconds("b", now=30) == 0
    assert guesses.wait_seconds("a", now=60) == 0
    for number in range(3 * token_auth.PEERS):
        guesses.missed(f"peer {number}", "x", now=31)
    assert len(guesses._by_peer) == token_auth.PEERS


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (None, None),
        ("", None),
        ("Bearer", None),
        ("Bearer x y", "x y"),
        ("bearer  x ", "x"),
        ("Basic !!!", None),
        ("Basic dTpw", "p"),
        ("Basic dTo=", None),
        ("Basic /w==", None),
        ("Digest x", None),
    ],
)
def test_what_an_authorization_header_presents(header: str | None, token: str | None) -> None:
    assert token_auth.presented(header) == token


def test_names_and_peers() -> None:
    assert [name_of(host) for host in ("[::1]:5013", "a:b:c", "LocalHost.:1", "a b")] == [
        "::1",
        "a",
        "localhost.",
        "a b",
    ]
    assert peer_of({"client": ("2001:db8:1:2:3:4:5:6", 1)}) == "2001:db8:1:2"
    assert peer_of({}) == "unknown"


def test_an_open_door_without_a_lock_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigurationError, match=r"http\.host: 0\.0\.0\.0 can be reached .* there is no token"):
        load(None, {"CHATELLO_HTTP__HOST": "0.0.0.0"})
    assert load(None, {"CHATELLO_HTTP__HOST": "0.0.0.0", "CHATELLO_HTTP__TOKEN": TOKEN})
    assert load(None, {"CHATELLO_HTTP__HOST": "::1"})


@pytest.mark.parametrize("secret", ["canary", "canary with a space", "cänary-canary-canary", "canary" * 100])
def test_a_token_that_is_none_is_refused_and_never_shown(secret: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        load(None, {"CHATELLO_HTTP__TOKEN": secret})

    assert str(told.value).startswith("http.token: wanted 16 to 512 ASCII characters")
    assert "nary" not in str(told.value)


def test_names_in_the_environment_are_parted_by_commas_and_the_token_comes_as_a_credential(tmp_path: Any) -> None:
    (tmp_path / "http-token").write_text(f"{TOKEN}\n")
    config = load(None, {"CHATELLO_HTTP__HOSTS": "a.example, b.example", "CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert config.http.hosts == ("a.example", "b.example")
    assert config.http.token.get_secret_value() == TOKEN
    assert TOKEN not in repr(config)


@pytest.mark.parametrize("name", ["https://a.example", "a.example:443", "a.example/analytics", "*", "[::1]", "a b"])
def test_a_name_that_no_browser_asks_for_is_refused_at_the_start(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r'http\.hosts\.0: wanted a name such as "analytics\.example\.com"'):
        load(None, {"CHATELLO_HTTP__HOSTS": name})


def test_an_empty_host_does_not_open_every_address() -> None:
    with pytest.raises(ConfigurationError, match=r"http\.host: "):
        load(None, {"CHATELLO_HTTP__HOST": "", "CHATELLO_HTTP__TOKEN": TOKEN})


def test_small_answers_are_sent_at_once() -> None:
    listening = listener.listen(Http(port=free_port()))
    with listening, socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
