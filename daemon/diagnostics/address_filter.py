"""Address filter of the service's unit (IPAddressDeny, IPAddressAllow), and the targets that it forbids.

`check` runs outside the unit, where a connection succeeds that the service must not open.
"""

import ipaddress
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from daemon.config.schema import Config
from daemon.delivery.channels.send import MAIL_SCHEMES

SERVICE = "chatello-analytics"
DROP_IN = "outside-targets.conf"
HINT = f"install the drop-in deploy/systemd/{DROP_IN}; its first lines have the commands"
PROPERTIES = ("IPAddressDeny", "IPAddressAllow")
SECONDS = 5

Networks = tuple[IPv4Network | IPv6Network, ...]


class AddressFilter(NamedTuple):
    """The networks of a unit's filter. An allowed address is allowed even if it is denied, too."""

    denied: Networks = ()
    allowed: Networks = ()

    def forbids(self, address: str) -> bool:
        parsed = ipaddress.ip_address(address.partition("%")[0])
        return any(parsed in one for one in self.denied) and not any(parsed in one for one in self.allowed)

    @property
    def is_closed(self) -> bool:
        """Return whether everything outside this machine is forbidden."""
        return any(not one.prefixlen for one in self.denied) and all(one.is_loopback for one in self.allowed)


def unit_of(path: Path) -> str:
    """Return the unit that runs with a configuration file: that of a further shop has its folder's name."""
    shop = path.parent.name
    return f"{SERVICE}.service" if shop == SERVICE else f"{SERVICE}@{shop}.service"


def read(unit: str) -> AddressFilter:
    """Return the filter of a unit; without systemd, or without such a unit, nothing is forbidden."""
    command = ["systemctl", "show", f"--property={','.join(PROPERTIES)}", unit]
    try:
        shown = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS).stdout  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return AddressFilter()
    values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    return AddressFilter(*(_networks(values.get(name, "")) for name in PROPERTIES))


def _networks(text: str) -> Networks:
    return tuple(map(ipaddress.ip_network, text.split()))


def forbidden(config: Config, unit_filter: AddressFilter) -> Iterator[str]:
    """Yield the names of the targets that the service cannot reach."""
    if not unit_filter.denied:
        return
    for name, webhook in config.webhooks.items():
        if _forbids_host(unit_filter, urlsplit(webhook.url.get_secret_value()).hostname or ""):
            yield name
    for name, notify in config.notify.items():
        if _forbids_recipient(unit_filter, notify.secret.get_secret_value()):
            yield name


def _forbids_recipient(unit_filter: AddressFilter, url: str) -> bool:
    """Return whether a person cannot be reached.

    The host in the URL of a service may be a token, so it is never looked up.
    """
    with suppress(ValueError):
        scheme, host = url.partition("://")[0].lower(), urlsplit(url).hostname or ""
        if scheme in MAIL_SCHEMES or host == "localhost" or _is_address(host):
            return _forbids_host(unit_filter, host)
    return bool(url) and unit_filter.is_closed


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _forbids_host(unit_filter: AddressFilter, host: str) -> bool:
    """Return whether all addresses of a host are forbidden; one that cannot be resolved is not our concern."""
    try:
        addresses = {str(found[4][0]) for found in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False
    return all(map(unit_filter.forbids, addresses))
