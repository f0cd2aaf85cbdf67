"""The calls of a core instance: what should run, what became of it, and what else people ask of it."""

from collections.abc import Sequence
from typing import Any

import msgspec

from nectary.client.asking import Asking
from nectary.client.core_things import (
    Changes,
    CreatedCoreInstance,
    KnownCheck,
    KnownClusterObject,
    KnownCoreInstance,
    KnownEnvironment,
    KnownFile,
    KnownIngestCheck,
    KnownRegex,
    KnownSecret,
    KnownTraceSession,
    LogRequest,
    Ping,
    RegisteredAgent,
)

_ASKED = {"include": "ports,files,secrets", "render_with_config_sections": "true"}


# -- Who it is -------------------------------------------------------------------------------------------------------------


async def create(asking: Asking, body: dict[str, Any]) -> CreatedCoreInstance:
    """Make a core instance; needs a project token. Refused with 409 where the environment has one of that name."""
    return await asking.make("/v1/aggregators", body, CreatedCoreInstance)


async def named(asking: Asking, name: str, environment: str) -> KnownCoreInstance | None:
    """The project's core instance of that name in that environment."""
    path = f"/v1/projects/{asking.project_id}/core_instances"
    found = await asking.items(path, KnownCoreInstance, {"name": name})
    return next((one for one in found if one.environment_name == environment), None)


async def environments(asking: Asking) -> list[KnownEnvironment]:
    return await asking.rows(f"/v1/projects/{asking.project_id}/environments", KnownEnvironment)


async def itself(asking: Asking, id: str) -> KnownCoreInstance:
    return await asking.get(f"/v1/aggregators/{id}", KnownCoreInstance)


async def ping(asking: Asking, id: str) -> float:
    """Say that it is there; gives in how many seconds to say so again."""
    said = msgspec.json.decode((await asking.send("POST", f"/v1/aggregators/{id}/ping")).content, type=Ping)
    return said.next_ping / 1e9


async def describe(asking: Asking, id: str, body: dict[str, Any]) -> None:
    await asking.send("PATCH", f"/v1/aggregators/{id}", body)


async def changes(asking: Asking, id: str, after: str | None, wait: int) -> Changes:
    """Wait up to so many seconds until something changes that may concern it. Nectary's own; other servers say 404."""
    query = {"wait": wait} | ({"after": after} if after is not None else {})
    return await asking.get(f"/v1/core_instances/{id}/changes", Changes, query, within=wait + 20.0)


# -- What should run -------------------------------------------------------------------------------------------------------


async def pipelines(asking: Asking, id: str) -> list[msgspec.Raw]:
    """Its pipelines with all that belongs to them, each as the JSON it came as: most are as they were the last time, and
    need no reading. Config sections are in the configurations already, which are in the format they are kept in."""
    return await asking.items(f"/v1/core_instances/{id}/pipelines", msgspec.Raw, dict(_ASKED))


async def secrets(asking: Asking, id: str) -> list[KnownSecret]:
    return await asking.items(f"/v1/core_instances/{id}/secrets", KnownSecret)


async def files(asking: Asking, id: str) -> list[KnownFile]:
    return await asking.items(f"/v1/core_instances/{id}/files", KnownFile)


async def sidecars(asking: Asking, pipeline_id: str) -> list[dict[str, Any]]:
    """As the API gives them: a list that holds one object which holds the list, or nothing."""
    pages = await asking.get(f"/v1/pipelines/{pipeline_id}/sidecars", list[dict[str, Any]], {"last": 500})
    return [one for page in pages for one in page.get("items") or ()]


async def narrowed_to(asking: Asking, pipeline_id: str) -> tuple[set[str], bool]:
    """The namespaces that a pipeline is limited to, by themselves and by patterns; and whether it is limited at all."""
    objects = await asking.rows(f"/v1/pipelines/{pipeline_id}/cluster_objects", KnownClusterObject)
    names = {one.name for one in objects}
    regexes = await asking.items(f"/v1/pipelines/{pipeline_id}/cluster_object_regexes", KnownRegex)
    for regex in regexes:
        matching = await asking.get(f"/v1/cluster_object_regexes/{regex.id}", KnownRegex)
        names.update(one.name for one in matching.cluster_objects or ())
    return names, bool(objects or regexes)


# -- What became of it -----------------------------------------------------------------------------------------------------


async def report(asking: Asking, pipeline_id: str, status: str | None, events: Sequence[dict[str, Any]] | None) -> None:
    """A status is one more in the history; events alone belong to the newest one."""
    body: dict[str, Any] = ({"status": status} if status else {}) | ({"events": list(events)} if events is not None else {})
    await asking.send("PATCH", f"/v1/aggregator_pipelines/{pipeline_id}", body)


async def report_endpoint(asking: Asking, port_id: str, endpoint: str) -> None:
    await asking.send("PATCH", f"/v1/pipeline_ports/{port_id}", {"endpoint": endpoint})


# -- What else is asked of it ----------------------------------------------------------------------------------------------


async def pipeline_checks(asking: Asking, pipeline_id: str) -> list[KnownCheck]:
    return await asking.rows(f"/v1/pipelines/{pipeline_id}/checks", KnownCheck)


async def own_checks(asking: Asking, id: str) -> list[KnownCheck]:
    return await asking.rows(f"/v1/core_instances/{id}/checks", KnownCheck)


async def report_check(asking: Asking, check_id: str, status: str, *, own: bool) -> None:
    kind = "core_instance_checks" if own else "pipeline_checks"
    await asking.send("PATCH", f"/v1/{kind}/{check_id}", {"status": status})


async def ingest_checks(asking: Asking, id: str) -> list[KnownIngestCheck]:
    return await asking.rows(f"/v1/core_instances/{id}/ingest_checks", KnownIngestCheck)


async def report_ingest_check(asking: Asking, check_id: str, status: str, logs: bytes | None = None) -> None:
    await asking.send("PATCH", f"/v1/ingest_checks/{check_id}", {"status": status} | ({"logs": logs} if logs else {}))


async def log_requests(asking: Asking, pipeline_id: str) -> list[LogRequest]:
    return await asking.items(f"/v1/pipelines/{pipeline_id}/logs", LogRequest, {"status": "NEW"})


async def answer_log_request(asking: Asking, request: LogRequest, logs: str) -> None:
    body = {"logs": logs, "lines": request.lines, "status": "DONE"}
    await asking.send("PATCH", f"/v1/pipeline_logs/{request.id}", body)


async def trace_session(asking: Asking, pipeline_id: str) -> KnownTraceSession:
    """The session that runs. Refused with 404 when none does."""
    return await asking.get(f"/v1/pipelines/{pipeline_id}/trace_session", KnownTraceSession)


# -- What is around --------------------------------------------------------------------------------------------------------


async def cluster_objects(asking: Asking, id: str) -> list[KnownClusterObject]:
    return await asking.rows(f"/v1/core_instances/{id}/cluster_objects", KnownClusterObject)


async def add_cluster_object(asking: Asking, id: str, kind: str, name: str) -> None:
    await asking.send("POST", f"/v1/core_instances/{id}/cluster_objects", {"kind": kind, "name": name})


async def remove_cluster_object(asking: Asking, object_id: str) -> None:
    await asking.send("DELETE", f"/v1/cluster_objects/{object_id}")


# -- Agents: what counts a pipeline's records ------------------------------------------------------------------------------


async def register_agent(asking: Asking, body: dict[str, Any]) -> RegisteredAgent:
    """Needs a project token."""
    return await asking.make("/v1/agents", body, RegisteredAgent)


async def post_metrics(asking: Asking, agent: RegisteredAgent, content: bytes) -> None:
    headers = {"X-Agent-Token": agent.token, "Content-Type": "application/x-msgpack"}
    await asking.send("POST", f"/v1/agents/{agent.id}/metrics", content=content, headers=headers)


async def remove_agent(asking: Asking, agent_id: str) -> None:
    await asking.send("DELETE", f"/v1/agents/{agent_id}")
