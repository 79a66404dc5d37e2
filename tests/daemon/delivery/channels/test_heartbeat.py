"""The heartbeat: one request, at most one redirect to https, no path of the URL in a problem."""

import socket
import ssl

import pytest
from pytest_httpserver import HTTPServer

from daemon.delivery.channels.heartbeat import send_heartbeat
from tests.daemon.delivery.conftest import raw_server, read_request


def test_a_success_is_no_problem(httpserver: HTTPServer) -> None:
    httpserver.expect_oneshot_request("/ping/canary", method="GET").respond_with_data("ok")

    assert send_heartbeat(httpserver.url_for("/ping/canary")) == ""
    assert httpserver.log[0][0].headers["User-Agent"].startswith("chatello-analytics/")


@pytest.mark.parametrize("status", [301, 302, 404, 410, 500])
def test_any_other_answer_is_a_problem_without_the_path(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request("/ping/canary").respond_with_data(
        "", status, headers={"Location": httpserver.url_for("/ping/canary")}
    )
    problem = send_heartbeat(httpserver.url_for("/ping/canary"))

    assert problem == f"delivery.heartbeat_url: localhost answers HTTP {status}"
    assert len(httpserver.log) == 1, "no redirect to http is followed"


@pytest.mark.usefixtures("_trusted")
@pytest.mark.parametrize(("second", "problem"), [("200 OK", ""), ("302 Found", "more than one redirect")])
def test_one_redirect_to_https_is_followed(
    httpserver: HTTPServer, tls_server: ssl.SSLContext, second: str, problem: str
) -> None:
    def answer(connected: socket.socket) -> None:
        read_request(connected)
        connected.sendall(f"HTTP/1.1 {second}\r\nContent-Length: 0\r\nLocation: https://localhost/\r\n\r\n".encode())

    with raw_server(answer, context=tls_server) as port:
        httpserver.expect_request("/ping").respond_with_data(
            "", 301, headers={"Location": f"https://localhost:{port}/ping"}
        )

        assert problem in send_heartbeat(httpserver.url_for("/ping"))
        assert bool(problem) == bool(send_heartbeat(httpserver.url_for("/ping")))


@pytest.mark.parametrize("address", ["https://[canary/", "https://canary:99999/", "https://canary x/"])
def test_a_redirect_to_no_address_is_a_problem(address: str) -> None:
    def answer(connected: socket.socket) -> None:
        read_request(connected)
        connected.sendall(f"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {address}\r\n\r\n".encode())

    with raw_server(answer) as port:
        problem = send_heartbeat(f"http://127.0.0.1:{port}/ping")

    assert problem == "delivery.heartbeat_url: the address is not a valid URL; check host and port"


def test_a_closed_port_is_a_problem() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert "refuses the connection" in send_heartbeat(f"http://127.0.0.1:{port}/canary")
