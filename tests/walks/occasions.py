"""What it takes to succeed where a body made from the schema is not enough: each is one operation's own story."""

import itertools
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from nectary.caller import Kind
from tests.harness.bodies import CONFIG
from tests.harness.ground import Asked, Ground
from tests.harness.world import ADMIN, PASSWORD, Http

_numbers = itertools.count(1)
Occasion = Callable[[Ground], Awaitable[tuple[Asked, Http]]]


async def _sign_in(ground: Ground) -> tuple[Asked, Http]:
    return Asked("/v1/sign_in", {}, {"email": ADMIN, "password": PASSWORD}), ground.world.http()


async def _invited(ground: Ground, email: str) -> str:
    """The token of a new invitation to this address."""
    body = {"email": email, "redirectURI": "http://127.0.0.1:5000/join", "permissions": ["read:*"]}
    made = await ground.client(Kind.USER).ask("POST", f"/v1/projects/{ground.project_id}/invite", 200, json=body)
    token: str = parse_qs(urlsplit(made["link"]).query)["token"][0]
    return token


async def _sign_up(ground: Ground) -> tuple[Asked, Http]:
    token = await _invited(ground, f"new-{ground.project_id}@example.com")
    return Asked("/v1/sign_up", {}, {"token": token, "name": "New", "password": PASSWORD}), ground.world.http()


async def _accept(ground: Ground) -> tuple[Asked, Http]:
    email = f"invited-{ground.project_id}@example.com"
    token = await _invited(ground, email)
    return Asked("/v1/join_project", {}, {"token": token}), await ground.world.person(email)


async def _sign_out(ground: Ground) -> tuple[Asked, Http]:
    return Asked("/v1/sign_out", {}), await ground.world.person()


async def _made(ground: Ground, path: str, body: dict[str, Any]) -> str:
    """The id of something new, made over HTTP."""
    made = await ground.client(Kind.PROJECT_TOKEN).ask("POST", path, 201, json=body)
    return str(made["id"])


async def _section(ground: Ground) -> str:
    section = {"kind": "input", "properties": [{"key": "name", "value": "dummy"}], "skipConfigValidation": False}
    return await _made(ground, f"/v1/projects/{ground.project_id}/config_sections", section)


async def _check_ingestion(ground: Ground) -> tuple[Asked, Http]:
    instance = (await ground.known())("coreInstanceID")
    body = {"configSectionID": await _section(ground)}
    return Asked(f"/v1/core_instances/{instance}/ingest_checks", {}, body), ground.client(Kind.PROJECT_TOKEN)


async def _change_section(ground: Ground) -> tuple[Asked, Http]:
    body = {"properties": [{"key": "name", "value": "dummy"}, {"key": "tag", "value": "a"}]}
    return Asked(f"/v1/config_sections/{await _section(ground)}", {}, body), ground.client(Kind.PROJECT_TOKEN)


async def _relate_cluster_objects(ground: Ground) -> tuple[Asked, Http]:
    instance = (await ground.known())("coreInstanceID")
    text = "[INPUT]\n    name dummy\n[OUTPUT]\n    name null\n    match *\n"
    pipeline = await _made(ground, f"/v1/aggregators/{instance}/pipelines", {"rawConfig": text, "kind": "daemonSet"})
    named = f"space-{next(_numbers)}"
    thing = await _made(ground, f"/v1/core_instances/{instance}/cluster_objects", {"name": named, "kind": "namespace"})
    body = {"clusterObjectsIDs": [thing]}
    return Asked(f"/v1/pipelines/{pipeline}/cluster_objects", {}, body), ground.client(Kind.PROJECT_TOKEN)


async def _change_template(ground: Ground) -> tuple[Asked, Http]:
    definition = {"name": "lua", "match": "*", "code": "function cb(tag, ts, record) return 0, ts, record end", "call": "cb"}
    body = {"name": f"template-{next(_numbers)}", "definition": definition, "pipelineVersion": "1", "input": "{}"}
    made = await _made(ground, f"/v1/projects/{ground.project_id}/processing_rule_templates", body)
    renamed = {"name": f"template-{next(_numbers)}"}
    return Asked(f"/v1/processing_rule_templates/{made}", {}, renamed), ground.client(Kind.PROJECT_TOKEN)


async def _delete_section(ground: Ground) -> tuple[Asked, Http]:
    return Asked(f"/v1/config_sections/{await _section(ground)}", {}), ground.client(Kind.PROJECT_TOKEN)


async def _delete_file(ground: Ground) -> tuple[Asked, Http]:
    pipeline = (await ground.known())("pipelineID")
    body = {"name": f"file-{next(_numbers)}", "contents": "YQ==", "encrypted": False}
    made = await _made(ground, f"/v1/aggregator_pipelines/{pipeline}/files", body)
    return Asked(f"/v1/pipeline_files/{made}", {}), ground.client(Kind.PROJECT_TOKEN)


async def _delete_template(ground: Ground) -> tuple[Asked, Http]:
    asked, http = await _change_template(ground)
    return Asked(asked.path, {}), http


_CONFIG = "[INPUT]\n    name dummy\n[OUTPUT]\n    name null\n    match *\n"


async def _fleet(ground: Ground) -> str:
    body = {"name": f"fleet-{next(_numbers)}", "rawConfig": _CONFIG}
    return f"/v1/fleets/{await _made(ground, f'/v1/projects/{ground.project_id}/fleets', body)}"


async def _drafted(ground: Ground) -> str:
    """A fleet with a draft of something else than it has."""
    fleet = await _fleet(ground)
    await ground.client(Kind.PROJECT_TOKEN).ask("PUT", f"{fleet}/draft", 200, json={"rawConfig": _CONFIG + "# more\n"})
    return fleet


async def _publish(ground: Ground) -> tuple[Asked, Http]:
    return Asked(f"{await _drafted(ground)}/publish", {}, {"message": "more"}), ground.client(Kind.PROJECT_TOKEN)


async def _discard(ground: Ground) -> tuple[Asked, Http]:
    return Asked(f"{await _drafted(ground)}/draft", {}), ground.client(Kind.PROJECT_TOKEN)


async def _roll_back(ground: Ground) -> tuple[Asked, Http]:
    fleet = await _fleet(ground)
    await ground.client(Kind.PROJECT_TOKEN).ask("PATCH", fleet, 200, json={"rawConfig": _CONFIG + "# more\n"})
    return Asked(f"{fleet}/rollback", {}, {"revision": 1}), ground.client(Kind.PROJECT_TOKEN)


async def _enroll(ground: Ground) -> tuple[Asked, Http]:
    return Asked(f"{await _fleet(ground)}/enroll", {}, {"hosts": ["one", "two"]}), ground.client(Kind.PROJECT_TOKEN)


def _of_rollout(what: str, first: str = "") -> Occasion:
    """Of a rollout that is open, and paused first where that is said."""

    async def occasion(ground: Ground) -> tuple[Asked, Http]:
        http = ground.client(Kind.PROJECT_TOKEN)
        fleet = await _fleet(ground)
        plan = {"stages": "50% 1m, 100%"}
        await http.ask("PATCH", fleet, 200, json={"rawConfig": _CONFIG + "# more\n", "rollout": plan})
        [rollout] = await http.ask("GET", f"{fleet}/rollouts", 200)
        path = f"/v1/rollouts/{rollout['id']}"
        if first:
            await http.ask("POST", f"{path}/{first}", 200, json={})
        return Asked(f"{path}/{what}", {}, {}), http

    return occasion


async def _delete_environment(ground: Ground) -> tuple[Asked, Http]:
    made = await _made(ground, f"/v1/projects/{ground.project_id}/environments", {"name": f"place-{next(_numbers)}"})
    return Asked(f"/v1/environments/{made}", {}), ground.client(Kind.PROJECT_TOKEN)


async def _delete_profile(ground: Ground) -> tuple[Asked, Http]:
    instance = (await ground.known())("coreInstanceID")
    made = await _made(ground, f"/v1/aggregators/{instance}/resource_profiles", {"name": f"profile-{next(_numbers)}"})
    return Asked(f"/v1/resource_profiles/{made}", {}), ground.client(Kind.PROJECT_TOKEN)


async def _end_trace(ground: Ground) -> tuple[Asked, Http]:
    instance = (await ground.known())("coreInstanceID")
    pipeline = await _made(ground, f"/v1/aggregators/{instance}/pipelines", {"rawConfig": CONFIG})
    await _made(ground, f"/v1/pipelines/{pipeline}/trace_sessions", {"plugins": ["dummy.0"]})
    return Asked(f"/v1/pipelines/{pipeline}/trace_session", {}), ground.client(Kind.PROJECT_TOKEN)


async def _delete_newer_template(ground: Ground) -> tuple[Asked, Http]:
    body = {"name": f"template-{next(_numbers)}", "definition": {}}
    made = await _made(ground, f"/v2/projects/{ground.project_id}/processing_rule_templates", body)
    return Asked(f"/v2/processing_rule_templates/{made}", {}), ground.client(Kind.PROJECT_TOKEN)


async def _try_webhook(ground: Ground) -> tuple[Asked, Http]:
    body = {"name": f"rule-{next(_numbers)}", "kind": "agent_silent", "webhookURL": "http://127.0.0.1:5000/hook"}
    made = await _made(ground, f"/v1/projects/{ground.project_id}/alert_rules", body)
    return Asked(f"/v1/alert_rules/{made}/test", {}), ground.client(Kind.PROJECT_TOKEN)


# Operations that answer 501, on purpose: see contract/differences.toml.
UNSERVED = {"awsCustomerRedirect", "createAWSContractFromToken", "awsSubscriptionNotification"}

# What leaves no row in the audit log, and why.
UNAUDITED = {
    "aggregatorPing": "comes every half minute, and says only that the core instance is there",
    "requestVerificationEmailByPost": "changes nothing; a mail may be sent",
    "post_traces": "is data, not a change",
}

OCCASIONS: dict[str, Occasion] = {
    "advanceRollout": _of_rollout("advance"),
    "cancelRollout": _of_rollout("cancel"),
    "pauseRollout": _of_rollout("pause"),
    "resumeRollout": _of_rollout("resume", first="pause"),
    "rollBackRollout": _of_rollout("rollback"),
    "createIngestCheck": _check_ingestion,
    "deleteFleetDraft": _discard,
    "enrollHosts": _enroll,
    "publishFleet": _publish,
    "rollBackFleet": _roll_back,
    "deleteConfigSection": _delete_section,
    "deleteEnvironment": _delete_environment,
    "deletePipelineFile": _delete_file,
    "deleteProcessingRuleTemplate": _delete_newer_template,
    "deleteResourceProfile": _delete_profile,
    "terminateActiveTraceSession": _end_trace,
    "testAlertRule": _try_webhook,
    "deleteProcessingRuleTemplateV1": _delete_template,
    "updateConfigSection": _change_section,
    "updatePipelineClusterObjects": _relate_cluster_objects,
    "updateProcessingRuleTemplateV1": _change_template,
    "signIn": _sign_in,
    "signUp": _sign_up,
    "acceptInvitation": _accept,
    "signOut": _sign_out,
}
