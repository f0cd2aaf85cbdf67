"""What it takes to succeed where a body made from the schema is not enough: each is one operation's own story."""

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, urlsplit

from nectary.caller import Kind
from tests.harness.ground import Asked, Ground
from tests.harness.world import ADMIN, PASSWORD, Http

Occasion = Callable[[Ground], Awaitable[tuple[Asked, Http]]]


async def _sign_in(ground: Ground) -> tuple[Asked, Http]:
    return Asked("/v1/sign_in", {}, {"email": ADMIN, "password": PASSWORD}), ground.world.http()


async def _invited(ground: Ground, email: str) -> str:
    """The token of a new invitation to this address."""
    body = {"email": email, "redirectURI": "http://127.0.0.1:5000/join", "permissions": ["read:*"]}
    made = await ground.client(Kind.USER).ask("POST", f"/v1/projects/{ground.project_id}/invite", 200, json=body)
    token: str = parse_qs(urlsplit(made["link"]).query)["token"][0]
    return token


async def _sign_up(ground: Ground) -> tuple[Asked, Http]:
    token = await _invited(ground, f"new-{ground.project_id}@example.com")
    return Asked("/v1/sign_up", {}, {"token": token, "name": "New", "password": PASSWORD}), ground.world.http()


async def _accept(ground: Ground) -> tuple[Asked, Http]:
    email = f"invited-{ground.project_id}@example.com"
    token = await _invited(ground, email)
    return Asked("/v1/join_project", {}, {"token": token}), await ground.world.person(email)


async def _sign_out(ground: Ground) -> tuple[Asked, Http]:
    return Asked("/v1/sign_out", {}), await ground.world.person()


OCCASIONS: dict[str, Occasion] = {
    "signIn": _sign_in,
    "signUp": _sign_up,
    "acceptInvitation": _accept,
    "signOut": _sign_out,
}
