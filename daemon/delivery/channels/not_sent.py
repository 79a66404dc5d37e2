"""Error of the channels to people."""

from daemon.errors import ChatelloError


class NotSent(ChatelloError):
    """The message was not sent; the text says why and is filtered before it is shown."""
