"""Pipelines as the API gives them, made for tests."""

from typing import Any

import msgspec

from nectary.client.core_things import Pipeline
from nectary.core.assemble import Belongings
from nectary.core.runtimes import File

YAML = """\
pipeline:
  inputs:
    - name: http
      port: 9880
  outputs:
    - name: http
      match: "*"
      host: 127.0.0.1
      port: 9999
"""

PROFILE = {
    "name": "best-effort-low-resource",
    "storageMaxChunksUp": 128,
    "storageSyncFull": False,
    "storageBacklogMemLimit": "5M",
    "storageVolumeSize": "256Mi",
    "storageMaxChunksPause": False,
    "cpuBufferWorkers": 1,
    "cpuLimit": "500m",
    "cpuRequest": "100m",
    "memoryLimit": "256Mi",
    "memoryRequest": "64Mi",
}


def pipeline(config: str = YAML, format: str = "yaml", **fields: Any) -> Pipeline:
    """With wire names, as the server spells them."""
    body = {
        "id": "0b0e7a9c-0000-4000-8000-000000000001",
        "name": "brisk-aster",
        "config": {"id": "c1", "rawConfig": config, "configFormat": format},
        "status": {"status": "NEW", "config": {"id": "c1"}, "events": []},
        "resourceProfile": PROFILE,
        "ports": [],
    }
    return msgspec.convert({**body, **fields}, Pipeline)


def belongings(secrets: dict[str, Any] | None = None, files: dict[str, Any] | None = None, **others: Any) -> Belongings:
    made = {name: File(name, content) if isinstance(content, bytes) else content for name, content in (files or {}).items()}
    return Belongings(secrets=secrets or {}, files=made, **others)
