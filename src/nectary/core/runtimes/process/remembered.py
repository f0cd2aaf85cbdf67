"""Deployments kept on disk, so that pipelines run on as they should when the core instance starts while its server is away."""

import base64
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nectary.core.runtimes import Deployment, File, Port, Resources, Scaling, Sidecar
from nectary.core.runtimes.process.children import write_private


def keep(path: Path, deployment: Deployment) -> None:
    """Readable by us alone: it holds secrets. Raises OSError."""
    values = asdict(deployment)
    for file in values["files"]:
        file["contents"] = base64.b64encode(file["contents"]).decode()
    write_private(path, json.dumps(values).encode())


def recall(path: Path) -> Deployment | None:
    """What was kept, or None when there is nothing that can be read."""
    try:
        values: dict[str, Any] = json.loads(path.read_bytes())
        scaling = values["scaling"]
        for way in ("up", "down"):
            scaling[way] = None if scaling[way] is None else tuple(scaling[way])
        values |= {
            "files": tuple(File(one["name"], base64.b64decode(one["contents"]), one["secret"]) for one in values["files"]),
            "ports": tuple(Port(**port) for port in values["ports"]),
            "resources": Resources(**values["resources"]),
            "scaling": Scaling(**scaling),
            "sidecars": tuple(Sidecar(**one) for one in values["sidecars"]),
        }
        return Deployment(**values)
    except (OSError, ValueError, KeyError, TypeError):
        return None
