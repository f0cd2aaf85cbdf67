"""Every setting, where it may come from, and what it means.

A value is taken from the first of: a command-line flag, the environment (`NECTARY_<NAME>`, or the original server's own name
where it had one), the TOML file named by `--config` or `NECTARY_CONFIG`, the default below.
"""

import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, EmailStr, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from nectary.errors import Unstartable

Seconds = Annotated[int, Field(ge=1)]
Bytes = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]


def _also(name: str) -> Any:
    """The original server's name for a setting, beside ours."""
    return AliasChoices(f"NECTARY_{name}", name)


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="NECTARY_", extra="forbid", populate_by_name=True, env_ignore_empty=True)

    # Where it listens and keeps things
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(5000, ge=1, le=65535, validation_alias=_also("PORT"), description="Port to listen on.")
    data_dir: Path = Field(Path("nectary-data"), description="Folder for the embedded database; made with mode 0700.")
    database_url: str = Field(
        "",
        validation_alias=AliasChoices("NECTARY_DATABASE_URL", "POSTGRES_DSN"),
        description="`postgresql://user:password@host/name`, or empty for SQLite in the data folder.",
    )
    public_url: str = Field(
        "", description="Address that agents and browsers reach, as `https://host`; empty: from host and port."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="How much is logged.")
    log_style: Literal["auto", "console", "json"] = Field("auto", description="`auto`: console on a terminal, else JSON.")
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias=_also("ALLOWED_ORIGINS"),
        description="Browser origins, comma-separated, that may call the API and be redirected to.",
    )
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        (), description="Networks (CIDR), comma-separated, whose X-Forwarded-For says where an agent's requests come from."
    )
    body_limit: Bytes = Field(10 * 1024 * 1024, description="Largest request body, in bytes; larger is 413.")

    # The first start
    admin_email: EmailStr = Field("admin@localhost.localdomain", description="The first administrator.")
    admin_password: SecretStr = Field(SecretStr(""), description="Their password; empty: a random one, printed once.")
    default_token_file: Path | None = Field(
        None,
        validation_alias=_also("DEFAULT_TOKEN_FILE"),
        description="File that gets the default project's token, in place, before /healthz answers 200.",
    )

    # Who you are
    session_lifetime: Seconds = Field(14 * 24 * 3600, description="How long a sign-in lasts, in seconds.")
    invitation_lifetime: Seconds = Field(7 * 24 * 3600, description="How long an invitation lasts, in seconds.")
    sign_in_attempts: int = Field(10, ge=1, description="Failed sign-ins per address and e-mail in 15 minutes before 429.")
    credential_cache: int = Field(100_000, ge=1, description="How many verified tokens are remembered in memory.")

    # Mail
    smtp_host: str = Field("", validation_alias=_also("SMTP_HOST"), description="Mail server; empty: mails are not sent.")
    smtp_port: int = Field(587, ge=1, le=65535, validation_alias=_also("SMTP_PORT"), description="Its port.")
    smtp_username: str = Field("", validation_alias=_also("SMTP_USERNAME"), description="User name there, if any.")
    smtp_password: SecretStr = Field(
        SecretStr(""), validation_alias=_also("SMTP_PASSWORD"), description="Password there, if any."
    )
    smtp_from: str = Field("nectary@localhost", validation_alias=_also("SMTP_FROM"), description="Sender of mails.")
    smtp_tls: Literal["starttls", "tls", "none"] = Field("starttls", description="How the connection is protected.")

    # Agents and metrics
    agent_silent_after: Seconds = Field(75, description="Seconds without a sign of life after which an agent is unhealthy.")
    fleet_config_cache: Bytes = Field(64 * 1024 * 1024, description="Bytes of fleet configs and files kept in memory.")
    schemas: Path | None = Field(
        None, description="Folder of schemas learned by `nectary schema learn`; fleets are checked for those versions, too."
    )
    metrics_buffer: int = Field(100_000, ge=1, description="Posts held before they are written; when full, agents get 503.")
    keep_raw: Seconds = Field(2 * 3600, description="How long samples are kept as they came, in seconds.")
    keep_1m: Seconds = Field(24 * 3600, description="How long one sample a minute is kept, in seconds.")
    keep_5m: Seconds = Field(30 * 24 * 3600, description="How long one sample in five minutes is kept, in seconds.")

    # Core instances
    ping_interval: Seconds = Field(
        30, description="Seconds after which a core instance pings again; 5 more and it is unreachable."
    )

    core: bool = Field(
        True,
        description="Run a core instance in this process, so that pipelines run here, where a fluent-bit program is found.",
    )
    core_name: str = Field("", description="What that core instance is called; empty: as this host.")
    fluent_bit: str = Field("", description="Path of the fluent-bit program; empty: looked for.")

    # Alerts
    webhook_attempts: int = Field(10, ge=1, le=50, description="How often a webhook is tried before it is given up.")
    webhook_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Hosts that webhooks may be sent to, comma-separated, `*.example.com` for all under one; empty: any."
    )
    keep_alerts: Seconds = Field(30 * 24 * 3600, description="How long past alerts and deliveries are kept, in seconds.")

    # How much a project may hold; 0 means as much as you like
    quota_agents: Count = Field(0, description="Agents in a project; 0: no limit.")
    quota_core_instances: Count = Field(0, description="Core instances in a project; 0: no limit.")
    quota_pipelines: Count = Field(0, description="Pipelines in a project, without the system's own; 0: no limit.")
    quota_pipeline_files: Count = Field(0, description="Files of all pipelines in a project; 0: no limit.")
    quota_pipeline_secrets: Count = Field(0, description="Secrets of all pipelines in a project; 0: no limit.")
    quota_fleets: Count = Field(0, description="Fleets in a project; 0: no limit.")
    quota_fleet_files: Count = Field(0, description="Files of all fleets in a project; 0: no limit.")
    file_limit: Bytes = Field(1024 * 1024, description="Largest file of a fleet, pipeline or core instance, in bytes.")
    config_limit: Bytes = Field(1024 * 1024, description="Largest configuration of a pipeline, in bytes.")
    trace_record_limit: int = Field(10_000, ge=1, description="Records of one trace session; with so many it is over.")
    keep_traces: Seconds = Field(24 * 3600, description="How long the records of an ended trace session are kept, in seconds.")
    keep_statuses: int = Field(1000, ge=1, description="How many of the newest statuses of each pipeline are kept.")
    secret_limit: Bytes = Field(64 * 1024, description="Largest secret of a pipeline or core instance, in bytes.")

    @field_validator("allowed_origins", "webhook_hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(origin.strip().rstrip("/") for origin in value.split(",") if origin.strip())
        return value

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split_networks(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if value and not value.startswith(("postgresql://", "postgres://", "sqlite:///")):
            raise ValueError("must start with postgresql:// or sqlite:///, or be empty")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - no .env file is read, no secrets folder
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = os.environ.get("NECTARY_CONFIG")
        return (init_settings, env_settings, *((TomlConfigSettingsSource(settings_cls, Path(file)),) if file else ()))

    @property
    def database(self) -> str:
        """The database's address; SQLite in the data folder unless another is named."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'nectary.db'}"

    @property
    def address(self) -> str:
        """The address other programs use to reach this server, without a slash at its end."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared, not bound
        return self.public_url.rstrip("/") or f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def load(**flags: Any) -> Settings:
    """The settings, flags first. Raises Unstartable with one sentence a wrong value."""
    file = os.environ.get("NECTARY_CONFIG")
    if file and not Path(file).is_file():
        raise Unstartable(f"The configuration file {file} does not exist.")
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, e['loc']))}: {e['msg']} (given: {e['input']!r})" for e in error.errors()]
        raise Unstartable("A setting is wrong: " + "; ".join(wrong) + ".") from None
    except ValueError as error:
        raise Unstartable(f"The configuration file {file} cannot be read: {error}.") from None
