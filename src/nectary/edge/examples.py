"""What the API's description shows as an example of each text and number, by the field's name on the wire."""

from collections.abc import Iterator, Mapping
from typing import Any

_CONFIG = "[INPUT]\n    name tcp\n    port 9880\n[OUTPUT]\n    name stdout\n    match *\n"
_SCRIPT = "function cb(tag, ts, record) return 0, ts, record end"

EXAMPLES: Mapping[str, Any] = {
    "action": "UPDATE",
    "addRecords": 120,
    "agentsCount": 12,
    "aggregatorsCount": 2,
    "arch": "x86_64",
    "args": ["--verbose"],
    "avatarURL": "https://example.com/jo.png",
    "backendPort": 9880,
    "bytes": 4096,
    "call": "cb",
    "claimKey": "groups",
    "claimValue": "operations",
    "clusterObjectsIDs": ["9b2e5f0c-5c0e-4c8e-9a51-3f4d0b7d6a11"],
    "code": _SCRIPT,
    "command": ["/bin/sidecar"],
    "config": _CONFIG,
    "configFormat": "classic",
    "containerPort": 8080,
    "contents": "aGVsbG8=",
    "copyAs": "host",
    "cpu": "250m",
    "cpuBufferWorkers": 1,
    "cpuLimit": "1",
    "cpuRequest": "100m",
    "currentPassword": "correct horse battery",
    "deploymentStrategy": "recreate",
    "description": "What came in over HTTP.",
    "detail": "line 3: a property stands outside of a section",
    "dismissReason": "The disk was full; it is not any more.",
    "edition": "community",
    "email": "jo@example.com",
    "endCursor": "AAYtf0W3xwCbLl8MXA5MjppRP00LfWoR",
    "envVar": "CLIENT_CERT",
    "error": "connection refused",
    "endpoint": "ingest.example.com:9880",
    "environmentID": "production",
    "environmentName": "production",
    "expr": '.level == "debug"',
    "flags": ["chunk_trace"],
    "frontendPort": 9880,
    "healthCheckPipelinePort": 2020,
    "host": "logs.example.com",
    "image": "registry.example.com/fluent-bit:5.1.1",
    "input": '{"level":"debug","host":"web-1"}',
    "instance": "http.0",
    "key": "API_KEY",
    "kubernetesSecretName": "vault-made",
    "language": "lua",
    "lifespan": "10m0s",
    "logs": "aGVsbG8=",
    "machineID": "4c4c4544-0042-3510",
    "maskWith": "*",
    "match": "app.*",
    "medium": "Memory",
    "memory": "64Mi",
    "memoryLimit": "1Gi",
    "memoryRequest": "64Mi",
    "message": "It runs.",
    "method": "run",
    "minFluentBitVersion": "3.2.0",
    "mountPath": "/var/lib/sidecar",
    "name": "web-1",
    "Name": "web-1",
    "newPassword": "a longer horse battery",
    "os": "linux",
    "password": "correct horse battery",
    "path": "/healthz",
    "permissions": ["read:*"],
    "pipelineVersion": "1",
    "pluginAlias": "from-web",
    "pluginID": "tcp.0",
    "pluginName": "tcp",
    "plugin_alias": "from-web",
    "plugin_instance": "tcp.0",
    "plugins": ["tcp.0"],
    "port": 9880,
    "portKind": "LoadBalancer",
    "privateRSAKey": "LS0tLS1CRUdJTg==",
    "property": "host",
    "publicRSAKey": "LS0tLS1CRUdJTg==",
    "rawConfig": _CONFIG,
    "reason": "CrashLoopBackOff",
    "redirectURI": "https://nectary.example.com/join",
    "regex": "^web-[0-9]+$",
    "renameTo": "hostname",
    "replicasCount": 1,
    "resourceProfile": "high-performance-guaranteed-delivery",
    "retries": 3,
    "secretName": "api-key",
    "service": "health",
    "serviceAccount": "s3-writer",
    "sizeLimit": "1Gi",
    "storageBacklogMemLimit": "5M",
    "storageClass": "standard",
    "storageVolumeSize": "1Gi",
    "subPath": "data",
    "subPathExpr": "$(POD_NAME)",
    "tags": ["production"],
    "text": "A host must be given.",
    "token": "eyJUb2tlbklEIjoi",
    "topologyKey": "kubernetes.io/hostname",
    "trace_id": "trace.0",
    "unsetSettings": ["theme"],
    "url": "/v1/projects/9b2e5f0c-5c0e-4c8e-9a51-3f4d0b7d6a11",
    "value": "tcp",
    "values": ["web-1"],
    "version": "5.1.1",
}
# Of fields that are a text in one place and a list in another.
_TEXTS: Mapping[str, str] = {"command": "fluent-bit"}
_JSON_TYPES: Mapping[type, tuple[str, ...]] = {str: ("string",), int: ("integer", "number"), list: ("array",)}


def show(schemas: Mapping[str, Any]) -> None:
    """Put an example to every field that has one of its type, and says nothing better itself."""
    for name, schema in _fields(schemas):
        fitting = [example for example in (EXAMPLES.get(name), _TEXTS.get(name)) if example and _is_of(schema, example)]
        if fitting and not _tells(schema):
            schema["examples"] = fitting


def _fields(said: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    inner = list(said.values()) if isinstance(said, dict) else said if isinstance(said, list) else []
    if isinstance(said, dict) and isinstance(said.get("properties"), dict):
        yield from ((name, schema) for name, schema in said["properties"].items() if isinstance(schema, dict))
    for each in inner:
        yield from _fields(each)


def _tells(schema: Mapping[str, Any]) -> bool:
    """Whether it says itself what its values look like."""
    choices = [schema, *schema.get("anyOf", ())]
    return any(word in choice for choice in choices for word in ("enum", "const", "example", "examples", "$ref"))


def _is_of(schema: Mapping[str, Any], example: Any) -> bool:
    wanted = _JSON_TYPES[type(example)]
    for choice in (schema, *schema.get("anyOf", ())):
        if choice.get("type") in wanted:
            if not isinstance(example, list):
                return choice.get("format") not in ("uuid", "date-time")
            return bool(choice.get("items", {}).get("type") == "string")
    return False
