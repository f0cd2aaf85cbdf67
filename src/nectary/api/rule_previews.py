"""What rules and scripts make of sample records, run apart from everything (see preview/)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import Field, WithJsonSchema
from starlette.responses import JSONResponse

from nectary import preview
from nectary.edge.callers import KnownReader, Route
from nectary.errors import Busy, Invalid, TooLarge, Unavailable
from nectary.fluentbit.processing import ActionError, RuleError, actions_script, read_actions, read_rules
from nectary.fluentbit.processing.actions import CALL
from nectary.preview import BusyError, ChildError, Preview, ScriptError, TimedOutError, TooLargeError
from nectary.resources.processing_rules import Actions
from nectary.shape import Says, Shape

router = APIRouter(tags=["processing_rule"], route_class=Route)

Record = dict[str, Any]
# As a list of two: tools that know JSON Schema's older drafts stumble over places with schemas of their own.
_TIMED = {
    "type": "array",
    "description": "The time, in seconds since the epoch, and the record.",
    "minItems": 2,
    "maxItems": 2,
    "items": {"anyOf": [{"type": "number"}, {"type": "object", "additionalProperties": True}]},
}
Log = Annotated[tuple[float | int, Record], WithJsonSchema(_TIMED)]


class ActionsPreview(Shape):
    language: Annotated[str, Says("invalid processing rule language"), Field(json_schema_extra={"enum": ["lua"]})] = ""
    actions: Actions = []
    logs: list[Log] = []


class RulesPreview(Shape):
    rules: list[dict[str, Any]] = []
    logs: list[Log] = []


class RulesPreviewed(Shape):
    logs: list[Log]
    held: list[Log]


class Call(Shape):
    """A JSON-RPC 2.0 request."""

    jsonrpc: str = "2.0"
    method: str
    params: Any = None
    id: str | int | float | None = None


class Event(Shape):
    timestamp: float = 0
    record: Record
    tag: str = ""


class Run(Shape):
    code: str
    events: list[Event]


@router.post("/v1/preview_processing_rule", operation_id="previewProcessingRuleV1", deprecated=True)
async def preview_actions(asked: ActionsPreview, _: KnownReader) -> list[Log]:
    """What the actions of a rule make of records, each `[time, record]`."""
    try:
        actions = read_actions(asked.model_dump(mode="json", by_alias=True, include={"language", "actions"}))
    except ActionError as error:
        raise Invalid(error.sentence, index=error.index) from None
    with _refusing():
        return _whole(await preview.preview_script(actions_script(actions), asked.logs, call=CALL)).logs


@router.post("/v2/preview_processing_rules", operation_id="previewProcessingRules")
async def preview_rules(asked: RulesPreview, _: KnownReader) -> RulesPreviewed:
    """What a list of rules makes of records; `held` are those that a rule keeps back until more come."""
    try:
        rules = read_rules(asked.rules)
    except RuleError as error:
        raise Invalid("invalid processing rule", str(error), index=error.index) from None
    with _refusing():
        found = _whole(await preview.preview(rules, asked.logs))
    return RulesPreviewed(logs=found.logs, held=found.held)


def _whole(found: Preview) -> Preview:
    if found.errors:
        raise Invalid("processing rule failed", found.errors[0].error, index=found.errors[0].index)
    return found


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except (ScriptError, TimedOutError) as error:
        raise Invalid("processing rule failed", str(error)) from None
    except TooLargeError as error:
        raise TooLarge("preview too large", str(error)) from None
    except BusyError as error:
        raise Busy("busy", str(error), retry_after=2) from None
    except ChildError as error:
        raise Unavailable("unavailable", str(error), retry_after=2) from None


# -- The original's sandbox, by its own protocol ---------------------------------------------------------------------------

_COMPILE_ERROR = 21  # the sandbox's own; the others are JSON-RPC's
_NOT_FOUND, _BAD_PARAMS, _FAILED = -32601, -32602, -32000


_RPC: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["jsonrpc", "id"],
                    "properties": {
                        "jsonrpc": {"type": "string"},
                        "id": {"description": "As it was sent."},
                        "result": {"description": "What came of it."},
                        "error": {"type": "object", "description": "What went wrong: `code` and `message`."},
                    },
                }
            }
        }
    }
}


@router.post("/jsonrpc", operation_id="runScript", tags=["sandbox"], responses=_RPC)
async def run_script(call: Call, _: KnownReader) -> Response:
    """JSON-RPC 2.0, method `run`: run a Lua script over events `{timestamp, record, tag}`. The result has one entry an event:
    `{"result": [code, time, record or records]}` or `{"error": text}`."""
    if call.method != "run":
        return _failed(call, _NOT_FOUND, f"there is no method {call.method[:60]!r}, only run")
    # Go's encoder wraps the one argument in a list.
    given = call.params[0] if isinstance(call.params, list) and len(call.params) == 1 else call.params
    try:
        asked = Run.model_validate(given)
    except ValueError as error:
        return _failed(call, _BAD_PARAMS, str(error))
    try:
        results = await preview.run(asked.code, [event.model_dump() for event in asked.events], call="cb_filter")
    except ScriptError as error:
        return _failed(call, _COMPILE_ERROR, str(error))
    except TimedOutError as error:
        return _failed(call, _FAILED, f"timed out: {error}", status=400)  # the original's status, without its HTML
    except TooLargeError as error:
        return _failed(call, _FAILED, str(error), status=413)
    except BusyError as error:
        return _failed(call, _FAILED, str(error), status=429)
    except ChildError as error:
        return _failed(call, _FAILED, str(error), status=503)
    return JSONResponse({"jsonrpc": "2.0", "result": results, "id": call.id})


def _failed(call: Call, code: int, message: str, *, status: Literal[200, 400, 413, 429, 503] = 200) -> Response:
    error = {"code": code, "message": message[:2000]}
    return JSONResponse({"jsonrpc": "2.0", "error": error, "id": call.id}, status)
