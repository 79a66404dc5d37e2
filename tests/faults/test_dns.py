"""DNS failures are temporary: mongodb+srv:// needs DNS at each start, and the resolver may not be up yet."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.message
import dns.rcode
import dns.resolver
import pytest

from daemon.config.schema import Mongodb
from daemon.errors import ConfigurationError, Unavailable
from daemon.mongo.client import connect


@contextmanager
def nameserver(rcode: dns.rcode.Rcode) -> Iterator[int]:
    """Run a name server on loopback that answers each query with `rcode`; yield its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))

        def serve() -> None:
            while received := listening.recvfrom(4096):
                query, peer = received
                if not query:
                    return
                answer = dns.message.make_response(dns.message.from_wire(query))
                answer.set_rcode(rcode)
                listening.sendto(answer.to_wire(), peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.sendto(b"", listening.getsockname())
            thread.join(5)


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.NXDOMAIN], ids=["server failure", "unknown name"])
def test_a_dns_failure_is_temporary_and_its_message_contains_no_secret(
    rcode: dns.rcode.Rcode, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nameserver(rcode) as port:
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], port
        monkeypatch.setattr(dns.resolver, "default_resolver", resolver)
        with pytest.raises(Unavailable, match="cannot resolve the host in mongodb") as raised:
            connect(Mongodb.model_validate({"uri": "mongodb+srv://user:canary@cluster.shop.example/"}))

    assert raised.value.exit_status == 75
    assert "cluster.shop.example" in str(raised.value)
    assert "canary" not in str(raised.value)


def test_an_invalid_srv_connection_string_is_a_wrong_configuration() -> None:
    with pytest.raises(ConfigurationError):
        connect(Mongodb.model_validate({"uri": "mongodb+srv://cluster.shop.example:27017/"}))
