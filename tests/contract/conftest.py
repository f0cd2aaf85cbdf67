"""The marker of tests that need the published contract."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "contract: runs the vendor's contract test against a real server (see `make contract`)")
