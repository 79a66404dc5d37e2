"""systemd's notification socket (sd_notify(3)): READY, STATUS, WATCHDOG, STOPPING. Silent without systemd."""

import os
import socket


def notify(*lines: str) -> bool:
    """Send state lines such as "READY=1"; False where no socket is set or it does not take them."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.sendto("\n".join(lines).encode(), address)
    except OSError:
        return False
    return True
