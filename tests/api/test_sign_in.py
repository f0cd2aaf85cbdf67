"""Signing in and out, and the signed-in user."""

from datetime import datetime, timedelta

from sqlalchemy import select

from nectary import clock
from nectary.auth import tokens
from nectary.db.tables import sessions
from nectary.loops.credentials import note_sessions
from tests.harness.world import ADMIN, PASSWORD, World


async def test_a_sign_in_gives_a_token_that_works_until_signing_out(world: World) -> None:
    signed = await world.anyone.ask("POST", "/v1/sign_in", 201, json={"email": ADMIN.upper(), "password": PASSWORD})
    assert tokens.looks_like_session_token(signed["token"])
    me = world.http(Authorization=f"Bearer {signed['token']}")
    assert (await me.ask("GET", "/v1/me", 200))["email"] == ADMIN
    await me.ask("POST", "/v1/sign_out", 204)
    await me.refused("GET", "/v1/me", 401, "unauthenticated")


async def test_a_session_ends_by_itself(world: World) -> None:
    with clock.moved(timedelta(days=30)):
        await world.admin.refused("GET", "/v1/me", 401, "unauthenticated")


async def test_wrong_passwords_are_refused_alike_and_then_for_a_while(world: World) -> None:
    wrong = {"email": ADMIN, "password": "wrong"}
    first = await world.anyone.refused("POST", "/v1/sign_in", 401, "unauthenticated", json=wrong)
    unknown = {"email": "nobody@example.com", "password": "wrong"}
    assert await world.anyone.refused("POST", "/v1/sign_in", 401, "unauthenticated", json=unknown) == first
    for _ in range(world.context.settings.sign_in_attempts - 1):
        await world.anyone.refused("POST", "/v1/sign_in", 401, "unauthenticated", json=wrong)
    for password in ("wrong", PASSWORD):
        body = {"email": ADMIN, "password": password}
        answer = await world.anyone.post("/v1/sign_in", json=body)
        assert (answer.status_code, "retry-after" in answer.headers) == (429, True)


async def test_bad_sign_ins_say_which_field(world: World) -> None:
    for body, error in (({}, "invalid email"), ({"email": "x"}, "invalid email"), ({"email": ADMIN}, "invalid password")):
        await world.anyone.refused("POST", "/v1/sign_in", 422, error, json=body)


async def test_a_new_password_ends_the_other_sessions(world: World) -> None:
    other = (await world.anyone.ask("POST", "/v1/sign_in", 201, json={"email": ADMIN, "password": PASSWORD}))["token"]
    elsewhere = world.http(Authorization=f"Bearer {other}")
    change = {"currentPassword": PASSWORD, "newPassword": "another good one"}
    await world.admin.refused("PATCH", "/v1/me", 403, "permission denied", json=change | {"currentPassword": "wrong"})
    await world.admin.refused("PATCH", "/v1/me", 422, "invalid password", json=change | {"newPassword": "short"})
    await world.admin.ask("PATCH", "/v1/me", 204, json=change | {"name": "Ada"})
    await elsewhere.refused("GET", "/v1/me", 401, "unauthenticated")
    assert (await world.admin.ask("GET", "/v1/me", 200))["name"] == "Ada"
    await world.anyone.ask("POST", "/v1/sign_in", 201, json={"email": ADMIN, "password": "another good one"})


async def test_no_secret_is_stored_or_told_twice(world: World) -> None:
    signed = await world.anyone.ask("POST", "/v1/sign_in", 201, json={"email": ADMIN, "password": PASSWORD})
    stored = repr(await world.rows())
    assert signed["token"] not in stored
    assert PASSWORD not in stored
    assert "password" not in (await world.admin.ask("GET", "/v1/me", 200))


async def test_sessions_remember_when_they_were_last_used(world: World) -> None:
    async def last_used() -> datetime:
        async with world.context.database.read() as tx:
            moment: datetime = (await tx.execute(select(sessions.c.last_used_at))).scalar_one()
            return moment

    before = await last_used()
    await world.admin.ask("GET", "/v1/me", 200)
    await note_sessions(world.context)
    assert await last_used() > before
