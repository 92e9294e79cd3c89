"""A gate on the loopback: tasks wait at it, in whatever thread or process, until the test lets them go on."""

import asyncio
import socket
from types import TracebackType
from typing import Final, Self

__all__ = ["Address", "Gate", "Visitor", "pass_gate", "pass_gate_async"]

Address = tuple[str, int]
"""Where a gate is: what tasks are told, for it pickles."""

PATIENCE: Final = 40.0
"""Seconds after which whoever waits gives up, so that a failing test ends."""

GO: Final = b"+"


class Visitor:
    """A task that waits at the gate."""

    def __init__(self, connection: socket.socket, name: str) -> None:
        self._connection = connection
        self.name = name

    def let_go(self) -> None:
        """Let it go on."""
        self._connection.sendall(GO)

    def wait_gone(self) -> None:
        """Wait until it waits no more: it went on, or its process was killed."""
        try:
            assert self._connection.recv(1) == b""
        except ConnectionResetError:
            return

    def close(self) -> None:
        """Turn it away."""
        self._connection.close()


class Gate:
    """Where tasks wait. Those that wait when the gate closes get a `ConnectionError`."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._server.settimeout(PATIENCE)
        self._visitors: list[Visitor] = []
        self.address: Address = self._server.getsockname()

    def wait_for(self, count: int = 1) -> list[Visitor]:
        """The next ones, when so many have arrived."""
        return [self._next() for _ in range(count)]

    def _next(self) -> Visitor:
        connection, _ = self._server.accept()
        connection.settimeout(PATIENCE)
        name = bytearray()
        while not name.endswith(b"\n"):
            more = connection.recv(100)
            assert more, "somebody left the gate before saying who it is"
            name += more
        visitor = Visitor(connection, name.decode().strip())
        self._visitors.append(visitor)
        return visitor

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for visitor in self._visitors:
            visitor.close()


def pass_gate(gate: Address, name: str = "") -> None:
    """Wait at a gate until it is opened.

    Raises:
        ConnectionError: It was closed.
    """
    with socket.create_connection(gate, PATIENCE) as connection:
        connection.sendall(f"{name}\n".encode())
        if connection.recv(1) != GO:
            raise ConnectionAbortedError("the gate was closed")


async def pass_gate_async(gate: Address, name: str = "") -> None:
    """Wait at a gate until it is opened, and let the event loop go on meanwhile.

    Raises:
        ConnectionError: It was closed.
    """
    reader, writer = await asyncio.open_connection(*gate)
    try:
        writer.write(f"{name}\n".encode())
        if await asyncio.wait_for(reader.read(1), PATIENCE) != GO:
            raise ConnectionAbortedError("the gate was closed")
    finally:
        writer.close()
