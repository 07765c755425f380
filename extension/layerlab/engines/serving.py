"""Servers in containers: finding a port, and waiting until somebody answers there."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence

from layerlab.engines.base import Container
from layerlab.errors import LayerlabError

PATIENCE = 30.0
"""Seconds that a server may take to answer; an emulated one is slow to start."""
_PAUSE = 0.05


def free_port() -> int:
    """A port on 127.0.0.1 that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def on_port(command: Sequence[str], port: int, other: int) -> tuple[str, ...] | None:
    """The command with another port in its arguments; None where it does not name the port."""
    if str(port) not in command[1:]:
        return None
    head, *rest = command
    return (head, *(str(other) if word == str(port) else word for word in rest))


def answers(url: str) -> bool:
    """Whether somebody speaks at `http://HOST:PORT`.

    A connection alone proves nothing: Docker's proxy takes it before the program listens, and
    then drops it.
    """
    import http.client  # noqa: PLC0415 - see `api.Server.get`

    host, _, port = url.removeprefix("http://").rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=2)
    try:
        connection.request("GET", "/")
        connection.getresponse()
    except http.client.RemoteDisconnected:
        return False
    except http.client.HTTPException:
        return True  # no HTTP, but words
    except OSError:
        return False
    finally:
        connection.close()
    return True


def wait(container: Container, alive: Callable[[], bool], logs: Callable[[], str]) -> None:
    """Wait until a server answers.

    Args:
        container: the server, with its url.
        alive: whether it still runs.
        logs: what it has printed.

    Raises:
        LayerlabError: code `server-ended` or `server-silent`, with the end of its log.
    """
    deadline = time.monotonic() + PATIENCE
    while not answers(container.url):
        ended = not alive()
        if ended or time.monotonic() > deadline:
            raise LayerlabError(
                "The server ended at once."
                if ended
                else f"The server did not answer at {container.url} within {PATIENCE:.0f} s.",
                code="server-ended" if ended else "server-silent",
                hint="What it printed is below. Does it listen on the port that you named, and on "
                "all addresses (0.0.0.0)?",
                output=logs()[-2000:],
            )
        time.sleep(_PAUSE)
