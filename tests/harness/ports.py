"""Ports for servers that tests start."""

import random
import socket

# Linux gives the others (net.ipv4.ip_local_port_range) to whoever asks for any: one of those may be gone when it is used.
_ASSIGNED = range(12_000, 30_000)
_chance = random.SystemRandom()  # and not what every test begins with alike


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """One on the loopback that nobody has now, nor is given by chance."""
    for _ in range(100):
        port = _chance.choice(_ASSIGNED)
        with socket.socket(socket.AF_INET, kind) as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port was found")
