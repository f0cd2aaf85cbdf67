"""The agents' calls as OpenAPI describes them; their routes are not FastAPI's, which would do so by itself."""

from typing import Any

import msgspec

from nectary.agent_api.registration import Registration
from nectary.edge.openapi import Described, refusal
from nectary.resources.agents import KNOWN

_AGENT_ID = {"name": "agentID", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
_TIME, _UUID, _TEXT = {"type": "string", "format": "date-time"}, {"type": "string", "format": "uuid"}, {"type": "string"}


def _refusals(*statuses: int) -> dict[str, Any]:
    return {str(status): refusal(status) for status in statuses}


def _registration() -> dict[str, Any]:
    [schema], components = msgspec.json.schema_components([Registration])
    said: dict[str, Any] = components[schema["$ref"].rpartition("/")[2]]
    for name, known in KNOWN.items():
        said["properties"][name]["enum"] = list(known)
    return {key: value for key, value in said.items() if key != "title"}


_REGISTERED = {
    "type": "object",
    "required": ["id", "token", "name", "createdAt", "environmentName"],
    "properties": {"id": _UUID, "token": _TEXT, "name": _TEXT, "createdAt": _TIME, "environmentName": _TEXT},
}
_INSERTED = {
    "type": "object",
    "required": ["totalInserted"],
    "properties": {"totalInserted": {"type": "integer", "minimum": 0}},
}
_CMETRICS = {
    "description": "One or more cmetrics documents in MessagePack, back to back; recognised whatever type they claim.",
    "required": True,
    "content": {"application/x-msgpack": {"schema": {"type": "string", "format": "binary"}}},
}
_PIPELINE_ID = {"name": "pipelineID", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
_TRACES: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
        "application/x-ndjson": {"schema": {"type": "string"}},
        "application/msgpack": {"schema": {"type": "string", "format": "binary"}},
    },
}


def _posting(operation_id: str, what: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": operation_id,
        "summary": "Post metrics",
        "description": what,
        "tags": ["metric"],
        "security": [{"agent": []}],
        "parameters": list(parameters),
        "requestBody": _CMETRICS,
        "responses": {
            "201": {"description": "Created.", "content": {"application/json": {"schema": _INSERTED}}},
            **_refusals(401, 403, 410, 413, 422),
        },
    }


OPERATIONS: Described = {
    "/v1/agents": {
        "post": {
            "operationId": "registerAgent",
            "summary": "Register agent",
            "description": "An agent says what it is and runs, at every start and after every reload. The same machine is the "
            "same agent. It joins the fleet it names, if there is such a fleet.",
            "tags": ["agent"],
            "security": [{"project": []}],
            "x-permission": "create:*",
            "requestBody": {"required": True, "content": {"application/json": {"schema": _registration()}}},
            "responses": {
                "201": {"description": "Created.", "content": {"application/json": {"schema": _REGISTERED}}},
                **_refusals(400, 401, 403, 410, 413, 422),
            },
        }
    },
    "/v1/agents/{agentID}": {
        "patch": {
            "description": "An agent that kept its session reports here, with its own token, what POST /v1/agents takes.",
            "security": [{"agent": []}],
        }
    },
    "/v1/agents/{agentID}/metrics": {
        "post": _posting(
            "createAgentMetrics",
            "An agent posts its metrics. 422 makes Fluent Bit drop them, anything else is tried again.",
            _AGENT_ID,
        )
    },
    "/v1/agent_metrics": {
        "post": _posting("createMetrics", "The same, as agents before 2.0 do; the token says which agent it is.")
    },
    "/v1/traces/{pipelineID}": {
        "post": {
            "operationId": "postTraces",
            "summary": "Post trace records",
            "description": "Fluent Bit's http output posts what its chunk trace saw, for the pipeline's running session: an "
            "array, one object a line, or objects without anything between them, in JSON or MessagePack.",
            "tags": ["trace_record"],
            "security": [{"project": []}, {"agent": []}],
            "x-permission": "create:*",
            "parameters": [_PIPELINE_ID],
            "requestBody": _TRACES,
            "responses": {
                "201": {"description": "Created.", "content": {"application/json": {"schema": _INSERTED}}},
                **_refusals(401, 403, 404, 410, 413, 422),
            },
        }
    },
}
