"""A core instance and pipelines to test with."""

import base64
from typing import Any

from tests.harness.world import Http, World

CLASSIC = "[INPUT]\n    Name forward\n    Port 24224\n[OUTPUT]\n    Name stdout\n    Match *\n"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def core_instance(world: World, **body: Any) -> dict[str, Any]:
    made: dict[str, Any] = await world.machine.ask("POST", "/v1/aggregators", 201, json=body)
    return made


async def pipeline(world: World, core_instance_id: str, **body: Any) -> dict[str, Any]:
    path = f"/v1/aggregators/{core_instance_id}/pipelines"
    made: dict[str, Any] = await world.machine.ask("POST", path, 201, json={"rawConfig": CLASSIC, **body})
    return made


async def one(http: Http, id: str, **params: Any) -> dict[str, Any]:
    found: dict[str, Any] = await http.ask("GET", f"/v1/aggregator_pipelines/{id}", 200, params=params)
    return found
