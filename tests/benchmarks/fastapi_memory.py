"""Does a server that runs a flow per request grow? `python tests/benchmarks/fastapi_memory.py`, from anywhere.

It starts the FastAPI example with uvicorn in a process of its own, sends requests in rounds, good and failing ones over
several connections, and prints the server's resident memory after each round. The first half of the rounds warms up
caches and allocator; the verdict is about the second half. It exits with 1 if memory is not flat.
"""

import argparse
import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "docs" / "examples"
MIB: Final = 2**20
FLAT: Final = 200
"""Bytes a request that still count as flat; a run that is kept costs thousands."""
REQUESTS: Final[Sequence[tuple[str, dict[str, Any], int]]] = (
    ("/quotes", {"customer": "ada", "items": {"pen": 1, "ink": 2, "paper": 3}}, 200),
    ("/orders", {"customer": "ada", "items": {"pen": 1, "ink": 1}}, 201),
    ("/orders", {"customer": "ada", "items": {"pen": 1, "paper": 3}}, 409),
    ("/orders", {"customer": "ada", "items": {"pen": 1, "unicorn": 1}}, 404),
)


class Options(argparse.Namespace):
    """What the command line says."""

    rounds: int
    requests: int
    connections: int


def options(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Resident memory of a FastAPI server that runs a flow per request.")
    parser.add_argument("--rounds", type=int, default=10, help="how often memory is read (10)")
    parser.add_argument("--requests", type=int, default=2_000, help="requests in a round (2000)")
    parser.add_argument("--connections", type=int, default=20, help="requests at once (20)")
    return parser.parse_args(arguments, Options())


@contextmanager
def served() -> Generator[tuple[str, psutil.Process]]:
    """The address and the process of a server; connections wait in the socket until it is ready."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        descriptor = listening.fileno()
        command = ["uvicorn", "fastapi_app:app", "--app-dir", str(EXAMPLES), "--fd", str(descriptor)]
        server = subprocess.Popen(
            [sys.executable, "-m", *command, "--log-level", "error", "--no-access-log"], pass_fds=(descriptor,)
        )
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", psutil.Process(server.pid)
        finally:
            server.terminate()
            server.wait(30)


async def send(address: str, count: int, connections: int) -> None:
    """Send so many requests, each kind in turn, over so many connections; every answer has to be the expected one."""
    turns = iter(range(count))

    async def work(client: httpx.AsyncClient) -> None:
        for turn in turns:
            path, body, expected = REQUESTS[turn % len(REQUESTS)]
            answer = await client.post(path, json=body)
            if answer.status_code != expected:
                raise RuntimeError(f"{path} answered {answer.status_code}, wanted {expected}: {answer.text}")

    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        await asyncio.gather(*(work(client) for _ in range(connections)))


def measure(rounds: int, requests: int, connections: int) -> list[int]:
    """The server's resident memory in bytes after each round, printed as it is read."""
    readings: list[int] = []
    with served() as (address, process):
        for number in range(1, rounds + 1):
            started = time.perf_counter()
            asyncio.run(send(address, requests, connections))
            rate = requests / (time.perf_counter() - started)
            readings.append(process.memory_info().rss)
            print(
                f"round {number:2}  {number * requests:7,} requests  {readings[-1] / MIB:7.2f} MiB  {rate:5.0f} a second"
            )
    return readings


def verdict(readings: Sequence[int], requests: int) -> tuple[bool, str]:
    """Whether memory was flat over the second half of the rounds, and the sentence that says so."""
    middle = len(readings) // 2
    later = (len(readings) - 1 - middle) * requests
    growth = readings[-1] - readings[middle]
    per_request = growth / later if later else 0.0
    flat = per_request < FLAT
    told = f"{growth / 1024:+,.0f} KiB over the last {later:,} requests, {per_request:+.1f} bytes a request"
    return flat, f"memory is {'flat' if flat else 'NOT flat'}: {told}"


def main() -> int:
    """Measure and print; 0 if memory is flat."""
    chosen = options()
    flat, sentence = verdict(measure(chosen.rounds, chosen.requests, chosen.connections), chosen.requests)
    print(sentence)
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
