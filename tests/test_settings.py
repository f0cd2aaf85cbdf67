"""Settings: where they come from, and that their page lists them all."""

from pathlib import Path

import pytest

from nectary import settings
from nectary.errors import Unstartable
from nectary.settings import Settings

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"


def described() -> str:
    """The table of docs/settings.md."""
    rows = ["| setting | environment | default | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        names = (
            [str(choice) for choice in alias.choices]
            if alias is not None and hasattr(alias, "choices")
            else [f"NECTARY_{name.upper()}"]
        )
        default = "" if field.default in ("", None, ()) else str(field.default).strip("*")
        rows.append(
            f"| `{name}` | {', '.join(f'`{one}`' for one in names)} | {default and f'`{default}`'} | {field.description} |"
        )
    return "\n".join(rows)


def test_the_page_lists_every_setting() -> None:
    missing = [line for line in described().splitlines() if line not in PAGE.read_text()]
    assert missing == [], "paste this into docs/settings.md:\n" + described()


def test_the_original_servers_names_work_beside_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PORT": "5055",
        "POSTGRES_DSN": "postgresql://x@127.0.0.1/y",
        "DEFAULT_TOKEN_FILE": "t",
        "ALLOWED_ORIGINS": "http://127.0.0.1:3000, http://localhost:3000/",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": "25",
        "SMTP_USERNAME": "u",
        "SMTP_PASSWORD": "p",
    }.items():
        monkeypatch.setenv(name, value)
    read = settings.load()
    assert (read.port, read.database, str(read.default_token_file)) == (5055, "postgresql://x@127.0.0.1/y", "t")
    assert read.allowed_origins == ("http://127.0.0.1:3000", "http://localhost:3000")
    assert (read.smtp_host, read.smtp_port, read.smtp_username, read.smtp_password.get_secret_value()) == (
        "127.0.0.1",
        25,
        "u",
        "p",
    )
    monkeypatch.setenv("NECTARY_PORT", "5056")
    assert settings.load().port == 5056, "our own name goes first"
    assert settings.load(port=5057).port == 5057, "and a flag before both"


def test_an_empty_variable_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "")
    assert settings.load().port == 5000


def test_a_file_is_read_and_unknown_names_in_it_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "nectary.toml"
    file.write_text("port = 6000\nallowed_origins = ['http://localhost']\n")
    monkeypatch.setenv("NECTARY_CONFIG", str(file))
    assert (settings.load().port, settings.load().allowed_origins) == (6000, ("http://localhost",))
    file.write_text("prot = 6000\n")
    with pytest.raises(Unstartable, match="prot"):
        settings.load()
    file.write_text("port = \n")
    with pytest.raises(Unstartable, match="cannot be read"):
        settings.load()


def test_no_secret_is_shown_in_a_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NECTARY_ADMIN_PASSWORD", "hidden-thing")
    monkeypatch.setenv("PORT", "0")
    with pytest.raises(Unstartable) as refused:
        settings.load()
    assert "hidden-thing" not in str(refused.value)
