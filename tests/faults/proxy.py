"""A TCP proxy between the daemon and the server that cuts or slows a connection."""

import socket
import threading
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Self

CHUNK = 4096


class Proxy(AbstractContextManager["Proxy"]):
    """Forwards to one port. Closes a connection after `cut_after` bytes of replies; waits `pause` seconds per chunk."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.cut_after: int | None = None
        self.pause = 0.0
        self.cuts = 0
        self._slow = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self._listening.getsockname()[1]
        return port

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                self._open += [client, server]
                threading.Thread(target=self._forward, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._forward, args=(server, client, True), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, is_reply: bool) -> None:
        forwarded = 0
        with suppress(OSError):
            while data := source.recv(CHUNK):
                if self.pause:
                    self._slow.wait(self.pause)
                if is_reply and self.cut_after is not None and forwarded + len(data) > self.cut_after:
                    sink.sendall(data[: max(0, self.cut_after - forwarded)])
                    self.cuts += 1
                    break
                sink.sendall(data)
                forwarded += len(data)
        for connection in (source, sink):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._slow.set()
        for opened in (self._listening, *self._open):
            opened.close()
