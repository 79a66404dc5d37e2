"""DNS that fails: Atlas is found by it at every start, and a resolver that is not up yet is no wrong configuration."""

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
    """One on loopback that answers each question so; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))

        def serve() -> None:
            while question := listening.recvfrom(4096):
                asked, peer = question
                if not asked:
                    return
                answer = dns.message.make_response(dns.message.from_wire(asked))
                answer.set_rcode(rcode)
                listening.sendto(answer.to_wire(), peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.sendto(b"", listening.getsockname())
            thread.join(5)


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.NXDOMAIN], ids=["fails", "knows no such name"])
def test_dns_that_does_not_find_the_cluster_is_tried_again_and_tells_no_secret(
    rcode: dns.rcode.Rcode, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nameserver(rcode) as port:
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], port
        monkeypatch.setattr(dns.resolver, "default_resolver", resolver)
        with pytest.raises(Unavailable, match="DNS does not tell the servers") as told:
            connect(Mongodb.model_validate({"uri": "mongodb+srv://user:canary@cluster.shop.example/"}))

    assert told.value.exit_status == 75
    assert "cluster.shop.example" in str(told.value)
    assert "canary" not in str(told.value)


def test_a_connection_string_that_no_dns_can_mend_is_a_wrong_configuration() -> None:
    with pytest.raises(ConfigurationError):
        connect(Mongodb.model_validate({"uri": "mongodb+srv://cluster.shop.example:27017/"}))
