"""Kinds of network addresses. Kept free of heavy imports."""

import ipaddress


def is_private(address: str) -> bool:
    """Return whether an IP address is not reachable from the internet: loopback, private, link-local or shared.

    Raises ValueError for a host name.
    """
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return not (getattr(parsed, "ipv4_mapped", None) or parsed).is_global
