"""Access control: host names, local and remote clients, tokens, and the limit on wrong attempts."""

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
from daemon.web.middleware.access import host_name, is_cross_site, peer_key
from daemon.web.middleware.security_headers import SECURITY_HEADERS
from daemon.web.middleware.token_auth import FailedAttempts
from tests.web.conftest import BEARER, TOKEN, Serve

EVENT = {"event_type": "partnership", "description": "Accordo"}
CREATE = "/api/create_business_event"
LIST = "/api/get_recent_events"


def test_reading_needs_no_token_on_this_machine_and_writing_does(serve: Serve) -> None:
    with serve(headers={}) as http_client:
        assert http_client.get(LIST).status_code == 200
        refused = http_client.post(CREATE, json=EVENT)
        assert (refused.status_code, refused.json()["success"]) == (401, False)
        assert refused.headers["WWW-Authenticate"].startswith("Basic")
        assert http_client.post(CREATE, json=EVENT, headers={"Authorization": f"Bearer {TOKEN}x"}).status_code == 401
        assert http_client.post(CREATE, json=EVENT, headers=BEARER).status_code == 200
        assert http_client.post(CREATE, json=EVENT, auth=("anyone", TOKEN)).status_code == 200


def test_without_a_configured_token_writing_is_disabled(serve: Serve, database: Database) -> None:
    with serve(token="") as http_client:
        refused = http_client.post(CREATE, json=EVENT)
        empty = http_client.post(CREATE, json=EVENT, auth=("x", ""))

    assert (refused.status_code, empty.status_code) == (403, 403)
    assert refused.json() == {
        "success": False,
        "error": "writing is disabled: no http-token is configured; see docs/api.md",
    }
    assert database.business_events.count_documents({}) == 0


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "x-forwarded-host", "X-Forwarded-Proto", "Via"]
)
def test_behind_a_proxy_reading_needs_the_token_too(serve: Serve, header: str) -> None:
    with serve(headers={header: "for=1.2.3.4"}) as http_client:
        assert http_client.get("/metrics").status_code == 401
        assert http_client.get(LIST).status_code == 401
        assert http_client.get("/docs").status_code == 401
        assert http_client.get("/healthz").status_code == 200
        assert http_client.get(LIST, auth=("x", TOKEN)).status_code == 200


def test_a_configured_name_is_answered_with_the_token_and_others_are_not(serve: Serve) -> None:
    with serve(headers={}, hosts=["analytics.example.com"]) as http_client:
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
            assert http_client.get(LIST, headers={"Host": host}).status_code == expected, host
        assert http_client.get(LIST, headers={"Host": "analytics.example.com", **BEARER}).status_code == 200


def test_readyz_shows_its_problems_to_local_clients_only(serve: Serve) -> None:
    with serve(headers={}, role="retrying", reason="host:27017 is away") as http_client:
        local = http_client.get("/readyz")
        remote = http_client.get("/readyz", headers={"X-Forwarded-For": "1.2.3.4"})

    assert (local.status_code, local.json()["problems"]) == (503, ["retrying: host:27017 is away"])
    assert (remote.status_code, remote.json()["problems"]) == (503, [])


def test_listening_on_all_addresses_accepts_any_ip_as_host_and_reading_needs_the_token(serve: Serve) -> None:
    with serve(headers={}, host="0.0.0.0") as http_client:
        assert http_client.get(LIST).status_code == 401
        assert http_client.get("/metrics").status_code == 401
        assert http_client.get("/healthz").status_code == 200
        assert http_client.get(LIST, headers={"Host": "10.0.0.1:5013", **BEARER}).status_code == 200
        assert http_client.get(LIST, headers={"Host": "evil.example", **BEARER}).status_code == 421


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
    http_client: Any, headers: dict[str, str], expected: int
) -> None:
    assert http_client.post(CREATE, json=EVENT, headers=headers).status_code == expected


def test_another_sites_page_may_link_here_but_not_read() -> None:
    assert not is_cross_site("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"})
    assert is_cross_site("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"})
    assert is_cross_site("GET", {"origin": "http://evil.example", "host": "127.0.0.1:5013"})
    assert not is_cross_site("POST", {"origin": "http://127.0.0.1:5013", "host": "127.0.0.1:5013"})
    assert not is_cross_site("POST", {"host": "127.0.0.1:5013"})


def test_every_response_has_the_security_headers_and_no_cors_header(http_client: Any) -> None:
    for response in (
        http_client.get(LIST),
        http_client.get("/nowhere"),
        http_client.post(CREATE, content=b"x"),
        http_client.put("/metrics"),
    ):
        assert {name: response.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
        assert "server" not in response.headers
        assert not [name for name in response.headers if name.startswith("access-control")]
    assert "unsafe" not in SECURITY_HEADERS["Content-Security-Policy"]


def test_ten_different_wrong_tokens_are_answered_with_429_and_the_correct_one_always_works(serve: Serve) -> None:
    with serve(headers={}) as http_client:

        def attempt(token: str) -> int:
            return http_client.post(CREATE, json=EVENT, headers={"Authorization": f"Bearer {token}"}).status_code

        assert {attempt("stale") for _ in range(30)} == {401}
        assert attempt(TOKEN) == 200
        assert [attempt(f"wrong-{n}") for n in range(11)] == [401] * 9 + [429] * 2
        assert attempt(TOKEN) == 200
        refused = http_client.post(CREATE, json=EVENT, auth=("x", "wrong-again"))
        assert (refused.status_code, 0 < int(refused.headers["Retry-After"]) <= 60) == (429, True)
        assert http_client.post(CREATE, json=EVENT, auth=("x", TOKEN)).status_code == 200
        prompted = http_client.post(CREATE, json=EVENT)  # a browser asks for the password before it has one
        assert (prompted.status_code, prompted.headers["WWW-Authenticate"][:5]) == (401, "Basic")
        assert http_client.get(LIST).status_code == 200


def guesses(http_client: Any, visitor: str, count: int) -> list[int]:
    """Return the statuses of this many wrong tokens, and of one request without a token, that a proxy forwards."""
    forwarded = {"X-Forwarded-For": visitor}
    headers = [{"Authorization": f"Bearer wrong {n} of {visitor}", **forwarded} for n in range(count)]
    return [http_client.get(LIST, headers=one).status_code for one in (*headers, forwarded)]


def test_wrong_tokens_of_one_visitor_behind_a_trusted_proxy_lock_out_nobody_else(serve: Serve) -> None:
    with serve(headers={}, trusted_proxies=["127.0.0.1", "10.0.0.0/8"]) as http_client:
        assert guesses(http_client, "203.0.113.7", 12) == [401] * 10 + [429] * 2 + [401]
        assert guesses(http_client, "203.0.113.8", 1) == [401, 401]
        assert guesses(http_client, "203.0.113.7, 203.0.113.9, 10.1.2.3", 1) == [401, 401]
        assert guesses(http_client, "forged, 203.0.113.7", 1) == [429, 401]
        assert http_client.get(LIST, headers={"X-Forwarded-For": "203.0.113.7", **BEARER}).status_code == 200


def test_the_forwarded_address_of_an_untrusted_proxy_is_ignored(serve: Serve) -> None:
    with serve(headers={}, trusted_proxies=["192.0.2.1"]) as http_client:
        assert [guesses(http_client, f"203.0.113.{n}", 1)[0] for n in range(12)] == [401] * 10 + [429] * 2
        assert http_client.get(LIST, headers={"X-Forwarded-For": "203.0.113.7", **BEARER}).status_code == 200


def test_a_token_for_reading_is_required_on_the_machine_itself_too(serve: Serve) -> None:
    paths = (LIST, "/analytics", "/api/events/stream", "/metrics", "/docs", "/openapi.json", "/static/page.css", "/x")
    with serve(headers={}, role="retrying", reason="host:27017 is away", token_for_reading=True) as http_client:
        refused = {path: http_client.get(path) for path in paths}
        allowed = {path: http_client.get(path, auth=("x", TOKEN)).status_code for path in paths[:2] + paths[3:]}
        ready = http_client.get("/readyz")
        alive = http_client.get("/healthz")

    assert {path: answer.status_code for path, answer in refused.items()} == dict.fromkeys(paths, 401)
    assert all(answer.headers["WWW-Authenticate"].startswith("Basic") for answer in refused.values())
    assert allowed == {**dict.fromkeys(allowed, 200), "/x": 404}
    assert (ready.status_code, ready.json()["problems"], alive.status_code) == (503, [], 200)


def test_a_token_for_reading_without_a_token_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigurationError, match=r"http\.token_for_reading: is true and http\.token is not set"):
        load(None, {"CHATELLO_HTTP__TOKEN_FOR_READING": "true"})
    assert load(None, {"CHATELLO_HTTP__TOKEN_FOR_READING": "true", "CHATELLO_HTTP__TOKEN": TOKEN})


@pytest.mark.parametrize("address", ["*", "nginx", "127.0.0.1:443", "10.0.0.1/8"])
def test_an_invalid_proxy_address_is_refused_at_the_start(address: str) -> None:
    with pytest.raises(ConfigurationError, match=r"http\.trusted_proxies\.0: must be an IP address or network such as"):
        load(None, {"CHATELLO_HTTP__TRUSTED_PROXIES": address})
    assert load(None, {"CHATELLO_HTTP__TRUSTED_PROXIES": "127.0.0.1, ::1, 10.0.0.0/8"})


def test_failed_attempts_expire_after_a_minute_and_take_bounded_memory() -> None:
    failed_attempts = FailedAttempts()
    for number in range(token_auth.MAX_ATTEMPTS):
        failed_attempts.record("a", str(number), now=float(number))

    assert failed_attempts.wait_seconds("a", now=30) == 30
    assert failed_attempts.wait_seconds("b", now=30) == 0
    assert failed_attempts.wait_seconds("a", now=60) == 0
    for number in range(3 * token_auth.MAX_PEERS):
        failed_attempts.record(f"peer {number}", "x", now=31)
    assert len(failed_attempts._by_peer) == token_auth.MAX_PEERS


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
def test_the_token_of_an_authorization_header(header: str | None, token: str | None) -> None:
    assert token_auth.token_from_header(header) == token


def test_host_names_and_peer_keys() -> None:
    assert [host_name(host) for host in ("[::1]:5013", "a:b:c", "LocalHost.:1", "a b")] == [
        "::1",
        "a",
        "localhost.",
        "a b",
    ]
    assert peer_key({"client": ("2001:db8:1:2:3:4:5:6", 1)}) == "2001:db8:1:2"
    assert peer_key({}) == "unknown"


def test_listening_beyond_loopback_without_a_token_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigurationError, match=r"http\.host: 0\.0\.0\.0 is reachable .* http\.token is not set"):
        load(None, {"CHATELLO_HTTP__HOST": "0.0.0.0"})
    assert load(None, {"CHATELLO_HTTP__HOST": "0.0.0.0", "CHATELLO_HTTP__TOKEN": TOKEN})
    assert load(None, {"CHATELLO_HTTP__HOST": "::1"})


@pytest.mark.parametrize("secret", ["canary", "canary with a space", "cänary-canary-canary", "canary" * 100])
def test_an_invalid_token_is_refused_and_never_shown(secret: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        load(None, {"CHATELLO_HTTP__TOKEN": secret})

    assert str(error.value).startswith("http.token: must be 16 to 512 ASCII characters")
    assert "nary" not in str(error.value)


def test_hosts_in_the_environment_are_separated_by_commas_and_the_token_is_read_from_a_credential(
    tmp_path: Any,
) -> None:
    (tmp_path / "http-token").write_text(f"{TOKEN}\n")
    config = load(None, {"CHATELLO_HTTP__HOSTS": "a.example, b.example", "CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert config.http.hosts == ("a.example", "b.example")
    assert config.http.token.get_secret_value() == TOKEN
    assert TOKEN not in repr(config)


@pytest.mark.parametrize("name", ["https://a.example", "a.example:443", "a.example/analytics", "*", "[::1]", "a b"])
def test_an_invalid_host_name_is_refused_at_the_start(name: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r'http\.hosts\.0: must be a host name such as "analytics\.example\.com"'
    ):
        load(None, {"CHATELLO_HTTP__HOSTS": name})


def test_an_empty_host_does_not_listen_on_all_addresses() -> None:
    with pytest.raises(ConfigurationError, match=r"http\.host: "):
        load(None, {"CHATELLO_HTTP__HOST": "", "CHATELLO_HTTP__TOKEN": TOKEN})


def test_small_responses_are_sent_without_delay() -> None:
    listening = listener.listen(Http(port=free_port()))
    with listening, socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
