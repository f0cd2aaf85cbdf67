"""Passwords, kept as argon2id hashes; hashing runs beside the event loop, two at a time."""

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from nectary.errors import Invalid

SHORTEST = 10
LONGEST = 1024
_hasher = argon2.PasswordHasher()  # RFC 9106's low-memory profile: 64 MiB, 3 passes
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


def generate() -> str:
    return secrets.token_urlsafe(15)


def require_sound(password: str) -> None:
    if not SHORTEST <= len(password) <= LONGEST:
        raise Invalid("invalid password", f"a password has {SHORTEST} to {LONGEST} characters")


async def hash(password: str) -> str:
    return await asyncio.get_running_loop().run_in_executor(_threads, _hasher.hash, password)


async def matches(password: str, hashed: str | None) -> bool:
    """Whether `hashed` was made of `password`. None, for an unknown user, takes as long, so that the time does not tell."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _matches, password, hashed)


def _matches(password: str, hashed: str | None) -> bool:
    try:
        return _hasher.verify(hashed or _nobody(), password) and hashed is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobody() -> str:
    return _hasher.hash(secrets.token_urlsafe(15))
