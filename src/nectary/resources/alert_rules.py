"""Alert rules: what in a project is worth calling somebody for."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints
from sqlalchemy import Row, select

from nectary import webhooks
from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Invalid
from nectary.settings import Settings
from nectary.shape import Page, Patch, Says, Shape, Time

alert_rules = tables.alert_rules

Kind = Literal["pipeline_failed", "pipeline_errors", "agent_silent", "agent_errors", "core_instance_unreachable"]
# What a rule may be narrowed to, by its kind.
_SCOPES: dict[str, tuple[str, ...]] = {
    "pipeline_failed": ("pipeline_id", "core_instance_id"),
    "pipeline_errors": ("pipeline_id", "core_instance_id"),
    "agent_silent": ("fleet_id", "environment_id"),
    "agent_errors": ("fleet_id", "environment_id"),
    "core_instance_unreachable": ("core_instance_id", "environment_id"),
}
# Seconds that it must last, or be counted over, unless told. An agent posts every 30.
_SECONDS = {
    "pipeline_failed": 0,
    "pipeline_errors": 300,
    "agent_silent": 120,
    "agent_errors": 300,
    "core_instance_unreachable": 90,
}
_SHORTEST = {"pipeline_errors": 60, "agent_errors": 60, "agent_silent": 45, "core_instance_unreachable": 45}
_RATES = ("pipeline_errors", "agent_errors")

_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255), Says("invalid alert rule name")]
_Kind = Annotated[Kind, Says("invalid alert rule kind")]
_Seconds = Annotated[
    int,
    Field(ge=0, le=3600, description="How long it must last; for errors, the seconds they are counted over."),
    Says("invalid alert rule seconds"),
]
_Threshold = Annotated[
    float,
    Field(ge=0, le=1e12, allow_inf_nan=False, description="More failed sends a second than this; for errors only."),
    Says("invalid alert rule threshold"),
]
_Url = Annotated[
    str,
    StringConstraints(max_length=2048),
    Field(description="Where to post alerts; empty: nowhere."),
    Says("invalid webhook URL"),
]


class AlertRule(Shape):
    id: UUID
    name: str
    kind: str
    enabled: bool
    fleet_id: UUID | None
    environment_id: UUID | None
    core_instance_id: UUID | None
    pipeline_id: UUID | None
    seconds: int
    threshold: float
    webhook_url: str | None
    created_at: Time
    updated_at: Time


class NewAlertRule(Shape):
    """Without a scope it is about the whole project."""

    name: _Name
    kind: _Kind
    enabled: bool = True
    fleet_id: Annotated[UUID | None, Says("invalid fleet ID")] = None
    environment_id: Annotated[UUID | None, Says("invalid environment ID")] = None
    core_instance_id: Annotated[UUID | None, Says("invalid core instance ID")] = None
    pipeline_id: Annotated[UUID | None, Says("invalid pipeline ID")] = None
    seconds: _Seconds | None = None
    threshold: _Threshold = 0.0
    webhook_url: _Url | None = None


class AlertRulePatch(Patch):
    name: _Name | None = None
    enabled: bool | None = None
    seconds: _Seconds | None = None
    threshold: _Threshold | None = None
    webhook_url: _Url | None = None


class CreatedAlertRule(Shape):
    """`webhookSecret` verifies deliveries, as Standard Webhooks says; it is told only here."""

    id: UUID
    webhook_secret: str
    created_at: Time


async def create(tx: WriteTx, caller: Caller, new: NewAlertRule, settings: Settings) -> CreatedAlertRule:
    """Raises Invalid for a scope that the kind does not have, NotFound for a scope that is not there."""
    given = new.model_dump()
    for column, table in (
        ("fleet_id", tables.fleets),
        ("environment_id", tables.environments),
        ("core_instance_id", tables.core_instances),
        ("pipeline_id", tables.pipelines),
    ):
        if given[column] is None:
            continue
        if column not in _SCOPES[new.kind]:
            allowed = " or ".join(name.removesuffix("_id").replace("_", " ") for name in _SCOPES[new.kind])
            raise Invalid("invalid alert rule scope", f"{new.kind} may be narrowed to one {allowed}")
        await statements.get(tx, caller, table, given[column])
    given["seconds"] = _SECONDS[new.kind] if new.seconds is None else new.seconds
    _require_sound(new.kind, given, settings)
    row = await statements.add(
        tx, alert_rules, project_id=caller.project_id, webhook_secret=webhooks.new_secret(), **_stored(given)
    )
    return CreatedAlertRule.model_validate(row)


async def get(tx: ReadTx, caller: Caller, id: UUID) -> AlertRule:
    return AlertRule.model_validate(await statements.get(tx, caller, alert_rules, id))


async def of_project(tx: ReadTx, caller: Caller, *, last: int, before: Place | None) -> Page[AlertRule]:
    query = select(alert_rules).where(statements.visible(alert_rules, caller))
    return await statements.page(tx, query, alert_rules, AlertRule.model_validate, last=last, before=before, counted=True)


async def change(tx: WriteTx, caller: Caller, id: UUID, patch: AlertRulePatch, settings: Settings) -> Row[Any]:
    """Change what was given; kind and scope stay what they are."""
    before = await statements.get(tx, caller, alert_rules, id)
    given = patch.changes()
    _require_sound(before.kind, {**before._mapping, **given}, settings)
    return await statements.change(tx, caller, alert_rules, id, **_stored(given))


async def remove(tx: WriteTx, caller: Caller, id: UUID) -> None:
    """Delete a rule with its alerts and what was sent of them."""
    await statements.remove(tx, caller, alert_rules, id)


async def every(tx: ReadTx) -> list[Row[Any]]:
    """The rules of all projects: for whoever watches."""
    return list((await tx.execute(select(alert_rules).order_by(alert_rules.c.id))).all())


def _require_sound(kind: str, rule: dict[str, Any], settings: Settings) -> None:
    if rule["seconds"] < _SHORTEST.get(kind, 0):
        raise Invalid("invalid alert rule seconds", f"{kind} needs {_SHORTEST[kind]} at least: agents post every 30")
    if rule["threshold"] and kind not in _RATES:
        raise Invalid("invalid alert rule threshold", f"{kind} has none; {' and '.join(_RATES)} have")
    if rule["webhook_url"]:
        try:
            webhooks.require_sendable(rule["webhook_url"], settings.webhook_hosts)
        except ValueError as error:
            raise Invalid("invalid webhook URL", str(error)) from None


def _stored(given: dict[str, Any]) -> dict[str, Any]:
    return given | ({"webhook_url": given["webhook_url"] or None} if "webhook_url" in given else {})
