"""Mail to a real, if small, SMTP server on loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from nectary import mail
from nectary.settings import Settings
from tests.harness.listening import listening
from tests.harness.ports import free_port
from tests.harness.world import World, open_world


class Postbox:
    """Takes any mail, and keeps it."""

    def __init__(self) -> None:
        self.mails: list[str] = []
        self.came = asyncio.Event()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            word = line.split()[0].upper() if line.split() else b""
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                self.mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
                self.came.set()
            writer.write(b"221 bye\r\n" if word == b"QUIT" else b"250 fine\r\n")
            if word == b"QUIT":
                break


@pytest.fixture
async def postbox() -> AsyncIterator[tuple[Postbox, int]]:
    box = Postbox()
    async with listening(box.talk) as port:
        yield box, port


async def test_an_invitation_is_mailed_and_its_link_shown_to_nobody_else(
    make_settings: Callable[..., Settings], postbox: tuple[Postbox, int]
) -> None:
    box, port = postbox
    world: World = await open_world(make_settings(smtp_host="127.0.0.1", smtp_port=port, smtp_tls="none"))
    body = {"email": "ada@example.com", "permissions": [], "redirectURI": "http://127.0.0.1:5000/join"}
    answer = await world.admin.post(f"/v1/projects/{world.project_id}/invite", json=body)
    assert (answer.status_code, answer.content) == (204, b"")
    async with asyncio.timeout(20):
        await box.came.wait()
    [text] = box.mails
    assert "To: ada@example.com" in text
    assert "http://127.0.0.1:5000/join?token=" in text.replace("=\r\n", "").replace("=3D", "=")
    await world.context.database.close()


async def test_a_server_that_is_not_there_is_said(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(smtp_host="127.0.0.1", smtp_port=free_port(), smtp_tls="none")
    with pytest.raises(mail.Undelivered):
        await mail.send(settings, "ada@example.com", "Hello", "text")
