"""Reports what is around a core instance, such as the namespaces of its cluster, so that pipelines can be limited to some."""

import re

from nectary.client import core_instances as calls
from nectary.client.asking import Asking
from nectary.core.runtimes import Runtime

# What the API takes for a name; anything else is no namespace.
_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")


class Surroundings:
    """Tells the server of what comes and goes. What it was told is asked for once; then only changes are sent."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], str] | None = None

    async def follow(self, asking: Asking, core_instance_id: str, runtime: Runtime) -> bool:
        """Bring the server up to date; gives whether anything was new."""
        seen = await runtime.surroundings()
        here = {(kind, name) for kind, names in seen.items() for name in names if _NAME.fullmatch(name)}
        if self._told is None and not here and "namespace" not in seen:
            return False  # this runtime knows of no surroundings, and must not clear what another reported
        if self._told is None or here != set(self._told):
            known = await calls.cluster_objects(asking, core_instance_id)
            self._told = {(one.kind, one.name): one.id for one in known}
        new, gone = sorted(here - set(self._told)), sorted(set(self._told) - here)
        for kind, name in new:
            await calls.add_cluster_object(asking, core_instance_id, kind, name)
        for each in gone:
            await calls.remove_cluster_object(asking, self._told[each])
        if new or gone:
            known = await calls.cluster_objects(asking, core_instance_id)
            self._told = {(one.kind, one.name): one.id for one in known}
        return bool(new or gone)
