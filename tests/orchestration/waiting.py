"""Waiting for what other processes do, and ports for them."""

import time
from collections.abc import Callable

from benchmarks.servers import free_ports


def wait_for(condition: Callable[[], bool], seconds: float = 60, pause: float = 0.05) -> None:
    """Look again and again until a condition holds; fail if it does not within so many seconds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(pause)


def free_port() -> int:
    """A port that nobody listens on."""
    return free_ports(1)[0]
