"""Config validation, in the three forms the published API has it."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import Field, StringConstraints

from nectary.edge import context
from nectary.edge.callers import KnownReader, OpenToAll, Route
from nectary.errors import Invalid
from nectary.fluentbit.validate import published
from nectary.resources import config_texts
from nectary.shape import Says, Shape

router = APIRouter(tags=["config_validator"], route_class=Route)

BAD_PAYLOAD = "invalid configuration validation payload"
BAD_CONFIG = "invalid fluentbit config"
# Anybody may ask, so each question is bounded: this much takes a third of a second.
MOST_TEXT = 1024 * 1024


class Section(Shape):
    """One section of a config, taken apart."""

    command: str
    name: str
    optional: dict[str, Any] | None = None
    id: str = ""


class Sections(Shape):
    config: Annotated[list[Section], Field(max_length=published.MOST_SECTIONS), Says(BAD_PAYLOAD)]


class Faults(Shape):
    """What is wrong, by the plugin's name; `runtime` holds what belongs to none."""

    runtime: list[str]
    input: dict[str, list[str]]
    output: dict[str, list[str]]
    filter: dict[str, list[str]]


class Validated(Shape):
    errors: Faults


class RuntimeFault(Shape):
    id: str
    errors: list[str]


class PropertyFault(Shape):
    id: str
    property: str
    text: str | None
    errors: list[str]


class FaultsV2(Shape):
    """What is wrong, by the plugin's name and property; `runtime` holds what belongs to none."""

    runtime: list[RuntimeFault]
    input: dict[str, list[PropertyFault]]
    output: dict[str, list[PropertyFault]]
    filter: dict[str, list[PropertyFault]]


class ValidatedV2(Shape):
    errors: FaultsV2


class Text(Shape):
    raw_config: Annotated[str, StringConstraints(max_length=MOST_TEXT), Says(BAD_CONFIG)]
    config_format: Annotated[str, Says("invalid pipeline config format")] | None = None


AgentType = Annotated[str, Path(alias="agentType", json_schema_extra={"enum": ["fluentbit", "fluentd"]})]


# 200 with what is wrong in the body: the published contract has both versions so.
@router.post("/v1/config_validate/{agentType}", operation_id="validateConfig", deprecated=True)
async def validate_config(agent_type: AgentType, sections: Sections, _: KnownReader) -> Validated:
    """Check the sections of a Fluent Bit config, each by itself."""
    if agent_type != "fluentbit":
        raise Invalid("invalid agent type", f"{agent_type[:60]!r} is not checked here, only fluentbit is")
    return Validated.model_validate(published.config_validate(sections.model_dump()))


@router.get("/v1/config_validate/{agentType}", operation_id="validateConfigByGet", deprecated=True)
async def validate_config_by_get(agent_type: AgentType, sections: Sections, _: KnownReader) -> Validated:
    """The same, asked as before February 2022: the sections are the body of a GET."""
    return await validate_config(agent_type, sections, None)


@router.post("/v1/config_validate_v2", operation_id="validateConfigV2", deprecated=True, tags=["config_validator_v2"])
async def validate_config_v2(sections: Sections, _: KnownReader) -> ValidatedV2:
    """Check the sections of a Fluent Bit config, each by itself, and say which property is at fault."""
    return ValidatedV2.model_validate(published.config_validate_v2(sections.model_dump()))


@router.post("/v2/validate_fluentbit_config", operation_id="validateFluentBitConfig", status_code=204)
async def validate_fluentbit_config(text: Text, _: OpenToAll, request: Request) -> None:
    """Check a whole Fluent Bit config; 422 says what is wrong with it first."""
    format = config_texts.format_named(text.config_format, "invalid pipeline config format")
    # Off the event loop: agents must not wait while somebody's megabyte is read.
    async with context.of(request).validations:
        await asyncio.to_thread(config_texts.require_sound, text.raw_config, format, BAD_CONFIG)
