"""The calls to a Kubernetes API that a core instance makes: list, get, apply, delete, read logs.

Plain HTTP: with server-side apply so little is left to do that a generated client would be mostly dead weight.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Self

import httpx

from nectary.core.runtimes import RuntimeUnavailableError
from nectary.core.runtimes.kubernetes.kubeconfig import Access
from nectary.core.runtimes.kubernetes.settings import FIELD_MANAGER, Object

PATHS = {
    "ConfigMap": ("v1", "configmaps"),
    "Secret": ("v1", "secrets"),
    "ServiceAccount": ("v1", "serviceaccounts"),
    "Service": ("v1", "services"),
    "Pod": ("v1", "pods"),
    "Event": ("v1", "events"),
    "Deployment": ("apps/v1", "deployments"),
    "DaemonSet": ("apps/v1", "daemonsets"),
    "StatefulSet": ("apps/v1", "statefulsets"),
    "Lease": ("coordination.k8s.io/v1", "leases"),
    "HorizontalPodAutoscaler": ("autoscaling/v2", "horizontalpodautoscalers"),
}
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_PAGE, _MOST_PAGES = 500, 200
_AT_ONCE = 8


class ApiError(RuntimeUnavailableError):
    """The cluster said no: the HTTP status, Kubernetes' one-word reason, and its sentence."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


class Cluster:
    """One namespace of one cluster. Raises ApiError for what it refuses, RuntimeUnavailableError when it does not answer."""

    def __init__(
        self, access: Access, namespace: str | None = None, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.server, self.namespace = access.server, namespace or access.namespace
        self._http = httpx.AsyncClient(
            base_url=access.server,
            verify=access.tls,
            auth=access.auth,
            proxy=access.proxy,
            trust_env=False,  # the proxies of the environment are for what lies outside of the cluster
            timeout=httpx.Timeout(30.0, connect=10.0),
            transport=transport,
        )
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def version(self) -> str:
        """As in `v1.37.2`."""
        return str((await self._call("GET", "/version")).json().get("gitVersion", ""))

    async def all_of(self, kind: str, selector: str = "", *, fields: str = "", whole: bool = True) -> list[Object]:
        """All of a kind in the namespace. Not `whole`: their metadata only, which is a fraction of the bytes and no secrets."""
        headers = {} if whole else {"Accept": _METADATA_ONLY}
        params = {
            "limit": str(_PAGE),
            **({"labelSelector": selector} if selector else {}),
            **({"fieldSelector": fields} if fields else {}),
        }
        found: list[Object] = []
        for _ in range(_MOST_PAGES):
            body = (await self._call("GET", self._path(kind), params=params, headers=headers)).json()
            found += [{**item, "kind": kind} for item in body.get("items") or ()]
            more = body.get("metadata", {}).get("continue")
            if not more:
                break
            params["continue"] = more
        return found

    async def namespaces(self) -> list[str]:
        """The names of the cluster's namespaces that are not going away."""
        body = (await self._call("GET", "/api/v1/namespaces", headers={"Accept": _METADATA_ONLY})).json()
        return sorted(item["metadata"]["name"] for item in body["items"] if not item["metadata"].get("deletionTimestamp"))

    async def get(self, kind: str, name: str) -> Object | None:
        """One object; None when there is none."""
        try:
            return dict((await self._call("GET", self._path(kind, name))).json())
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def apply(self, wanted: Object, *, manager: str = FIELD_MANAGER) -> Object:
        """Make it like this by server-side apply, whoever else has a hand in it. Returns what it is now."""
        path = self._path(wanted["kind"], wanted["metadata"]["name"])
        params = {"fieldManager": manager, "force": "true"}
        headers = {"Content-Type": "application/apply-patch+yaml"}
        return dict((await self._call("PATCH", path, params=params, headers=headers, json=wanted)).json())

    async def create(self, wanted: Object) -> Object:
        """Make it; 409 when there is one of that name."""
        params = {"fieldManager": FIELD_MANAGER}
        return dict((await self._call("POST", self._path(wanted["kind"]), params=params, json=wanted)).json())

    async def delete(self, kind: str, name: str, *, orphans: bool = False) -> None:
        """Take it away, and what depends on it in the background; with `orphans`, that stays. None there is no error."""
        policy = "Orphan" if orphans else "Background"
        try:
            await self._call("DELETE", self._path(kind, name), json={"propagationPolicy": policy})
        except ApiError as error:
            if error.status != 404:
                raise

    async def pod_log(self, name: str, lines: int, *, container: str, previous: bool = False, since: int = 0) -> str:
        """The newest lines of a container, each begun with its time. `since`: of the last so many seconds only."""
        params = {
            "container": container,
            "tailLines": str(lines),
            "timestamps": "true",
            "previous": "true" if previous else "false",
            "limitBytes": str(8 * 1024 * 1024),
            **({"sinceSeconds": str(since)} if since else {}),
        }
        return (await self._call("GET", f"{self._path('Pod', name)}/log", params=params)).text

    def _path(self, kind: str, name: str = "") -> str:
        version, plural = PATHS[kind]
        root = "/api/v1" if version == "v1" else f"/apis/{version}"
        return f"{root}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> httpx.Response:
        request = {"params": params, "headers": headers} | ({"json": json} if json is not None else {})
        async with self._turns:
            for attempt in range(4):
                response = await self._send(method, path, request)
                # The API server's own protection from too much: it says when to come again.
                if response.status_code not in (429, 503) or attempt == 3:
                    break
                await asyncio.sleep(min(_seconds(response), 5.0))
        if response.is_success:
            return response
        raise self._refusal(response)

    async def _send(self, method: str, path: str, request: Mapping[str, Any]) -> httpx.Response:
        try:
            return await self._http.request(method, path, **request)
        except httpx.HTTPError as error:
            raise RuntimeUnavailableError(
                f"the cluster at {self.server} does not answer: {error or type(error).__name__}"
            ) from error

    def _refusal(self, response: httpx.Response) -> Exception:
        try:
            status = response.json()
            reason, message = str(status.get("reason", "")), str(status["message"])
        except (AttributeError, ValueError, KeyError, TypeError):
            reason, message = "", response.text[:300]
        if response.status_code == 401:
            return RuntimeUnavailableError(
                f"the cluster at {self.server} does not know us: its token or certificate has run out"
            )
        return ApiError(response.status_code, reason or f"Http{response.status_code}", message)


def _seconds(response: httpx.Response) -> float:
    given = response.headers.get("Retry-After", "")
    return float(given) if given.isdigit() else 1.0
