"""What a stock Fluent Bit needs of the bytes on the wire, against the real server: HTTP that is answered as it can read it."""

import json
import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from typing import Self

import pytest

from tests.harness.serving import Served, serving

_MOST_READ = 4096  # bytes of head and body that an agent reads of an answer to what it posts (flb_http_client)
_BODY = {"name": "edge-01", "type": "fluentbit", "version": "5.1.1", "edition": "community", "metadata": {}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("wire")) as served:
        yield served


class Connection:
    """One TCP connection as Fluent Bit holds it: what is sent and what is read, to the byte."""

    def __init__(self, server: Served) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        self.host = f"Host: 127.0.0.1:{server.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, line: str, *headers: str, body: bytes = b"") -> tuple[int, bytes]:
        """The status and the body. Fails unless the answer says how long it is, as an agent needs it said."""
        length = f"Content-Length: {len(body)}"
        self._socket.sendall("\r\n".join([f"{line} HTTP/1.1", self.host, length, *headers, "", ""]).encode() + body)
        heard = b""
        while b"\r\n\r\n" not in heard:
            more = self._socket.recv(65_536)
            assert more, f"hung up without an answer: {heard!r}"
            heard += more
        head, _, rest = heard.partition(b"\r\n\r\n")
        status = int(head.split(b" ")[1])
        told = re.search(rb"^content-length: (\d+)\r?$", head, re.IGNORECASE | re.MULTILINE)
        assert told or status == 204, f"no length, with a space after the colon, in {head!r}"
        assert not re.search(rb"^(transfer-encoding|content-encoding|location):", head, re.IGNORECASE | re.MULTILINE), head
        many = int(told[1]) if told else 0
        while len(rest) < many:
            more = self._socket.recv(65_536)
            assert more, "hung up in the middle of an answer"
            rest += more
        assert len(head) + 4 + many < _MOST_READ or line.startswith("GET"), "more than it reads"
        return status, rest


def _registration(**changed: object) -> bytes:
    return json.dumps({**_BODY, "machineID": "machine-0001", "rawConfig": "[INPUT]\n    name cpu.0\n", **changed}).encode()


def test_every_answer_to_an_agent_says_its_length_and_fits_what_it_reads(server: Served) -> None:
    token, json_type = f"X-Project-Token: {server.token}", "Content-Type: application/json"
    with Connection(server) as agent:
        status, said = agent.ask("POST /v1/agents", json_type, token, body=_registration())
        known = json.loads(said)
        assert (status, type(known["id"]), type(known["token"])) == (201, str, str)
        assert re.fullmatch(r"[A-Za-z0-9._~-]+", known["id"] + known["token"]), "it goes into a URL and a header as it is"
        own, metrics = f"X-Agent-Token: {known['token']}", f"POST /v1/agents/{known['id']}/metrics"
        assert agent.ask(f"PATCH /v1/agents/{known['id']}", json_type, own, body=_registration())[0] == 204
        assert agent.ask(metrics, "Content-Type: application/x-msgpack", own, body=b"\xc1" * 100_000)[0] == 422
        long = "x" * 100_000
        for wrong in ({"version": long}, {"os": long}, {"name": "-" * 100_000}, {"metadata": long}, {"machineID": long}):
            assert agent.ask("POST /v1/agents", json_type, token, body=_registration(**wrong))[0] == 422
        assert agent.ask("POST /v1/agents", json_type, token, body=b"{")[0] == 400
        assert agent.ask("POST /v1/agents", json_type, "X-Project-Token: " + "y" * 2000, body=_registration())[0] == 401
        assert agent.ask(f"PATCH /v1/agents/{known['id']}", json_type, "X-Agent-Token: no", body=_registration())[0] == 401
        assert agent.ask(metrics, "X-Agent-Token: no", body=b"\x80")[0] == 401
        assert agent.ask(f"GET /v1/fleets/{known['id']}/config?format=ini&config_format=ini", token)[0] == 404


def test_a_connection_that_rests_between_two_scrapes_is_still_there(server: Served) -> None:
    """Agents keep one for their metrics, which go every thirty seconds."""
    with Connection(server) as agent:
        token = f"X-Project-Token: {server.token}"
        assert agent.ask("POST /v1/agents", token, "Content-Type: application/json", body=_registration())[0] == 201
        time.sleep(31)
        assert agent.ask("POST /v1/agents", token, "Content-Type: application/json", body=_registration())[0] == 201


def test_a_registration_of_megabytes_is_taken(server: Served) -> None:
    body = _registration(rawConfig="[INPUT]\n    name cpu.0\n" + "# more\n" * 400_000, machineID="large")
    with Connection(server) as agent:
        assert agent.ask("POST /v1/agents", f"X-Project-Token: {server.token}", body=body)[0] == 201


def test_a_database_that_does_not_answer_is_a_whole_503_in_time(server: Served) -> None:
    """Silence would block an agent's start for ever; a closed connection would have it spin."""
    held = sqlite3.connect(server.folder / "data" / "nectary.db", isolation_level=None)
    try:
        held.execute("BEGIN EXCLUSIVE")
        with Connection(server) as agent:
            body = _registration(machineID="patient")
            status, said = agent.ask("POST /v1/agents", f"X-Project-Token: {server.token}", body=body)
        assert (status, json.loads(said)["error"]) == (503, "unavailable")
    finally:
        held.close()
