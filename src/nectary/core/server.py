"""The server that a core instance works for: where it is, and how it is reached."""

from dataclasses import dataclass, field

import httpx

from nectary.client.asking import Asking


@dataclass(frozen=True, slots=True)
class Server:
    """`token` is a project's: it makes the core instance, and registers agents. `timeout`: seconds, None for no end."""

    url: str
    token: str = field(repr=False)
    timeout: float | None = 30.0
    verify: bool = True
    proxy: str = ""
    transport: httpx.AsyncBaseTransport | None = None

    def asking(self, header: str, token: str) -> Asking:
        return Asking(
            self.url,
            header,
            token,
            timeout=self.timeout,
            verify=self.verify,
            proxy=self.proxy or None,
            transport=self.transport,
        )
