"""Quiet: these tests make many requests, and only what went wrong is logged."""

from collections.abc import Iterator

import pytest
import structlog

from nectary import log


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    log.set_up("error", "text")
    yield
    structlog.reset_defaults()
