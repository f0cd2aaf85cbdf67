"""The real Fluent Bit that tests are held against, where there is one."""

import os
import shutil

import pytest


def found() -> str | None:
    """Its path: what NECTARY_FLUENT_BIT named, handed on by tests/conftest.py; else from the PATH, or where packages put it."""
    named = os.environ.get("NECTARY_TEST_FLUENT_BIT")
    return named or shutil.which("fluent-bit") or shutil.which("/opt/fluent-bit/bin/fluent-bit")


def required() -> str:
    """Its path; without one the test is skipped, aloud."""
    path = found()
    if path is None:
        pytest.skip("SKIPPED: no fluent-bit on the PATH or in NECTARY_FLUENT_BIT: nothing was compared with the real one")
    return path
