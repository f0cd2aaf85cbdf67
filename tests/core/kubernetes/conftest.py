"""A real Kubernetes API for the tests that need one, installed as the documents say, and somebody who plays its nodes."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import yaml

from nectary.core.runtimes.kubernetes import kubeconfig
from nectary.core.runtimes.kubernetes.cluster import Cluster
from nectary.core.runtimes.kubernetes.runtime import Kubernetes
from nectary.core.runtimes.kubernetes.settings import Settings
from tests.harness import kube

PLAIN = Path(__file__).parents[3] / "deploy" / "kubernetes" / "nectary-core.yaml"


@pytest.fixture(scope="session")
def kubernetes_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kube.Api]:
    if given := os.environ.get("NECTARY_TEST_KUBECONFIG"):
        yield kube.Api(Path(given), played=False)
        return
    if kube.programs() is None:
        where = "neither NECTARY_TEST_KUBECONFIG, nor kube-apiserver and etcd on the PATH or in KUBEBUILDER_ASSETS"
        pytest.skip(f"SKIPPED: no Kubernetes API: {where}")
    with kube.running(tmp_path_factory.mktemp("kubernetes")) as api:
        yield api


@dataclass
class Place:
    """A namespace with the core instance's account and rights in it, and nothing else. `account`: its kubeconfig."""

    admin: httpx.Client
    namespace: str
    account: Path
    played: bool
    opened: list[Kubernetes] = field(default_factory=list)

    def path(self, plural: str, name: str = "") -> str:
        groups = {"deployments": "apps/v1", "daemonsets": "apps/v1", "statefulsets": "apps/v1"}
        groups |= {"horizontalpodautoscalers": "autoscaling/v2"}
        root = f"/apis/{groups[plural]}" if plural in groups else "/api/v1"
        return f"{root}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    def names(self, plural: str) -> list[str]:
        items = self.admin.get(self.path(plural)).json()["items"]
        return sorted(item["metadata"]["name"] for item in items if "nectary" in item["metadata"].get("labels", {}).values())

    def get(self, plural: str, name: str) -> Any:
        answer = self.admin.get(self.path(plural, name))
        return answer.json() if answer.is_success else None

    def delete(self, plural: str, name: str) -> None:
        assert self.admin.delete(self.path(plural, name)).is_success

    def patch(self, plural: str, name: str, change: dict[str, Any], *, sub: str = "") -> Any:
        headers = {"Content-Type": "application/merge-patch+json"}
        answer = self.admin.patch(
            self.path(plural, name) + sub, json=change, headers=headers, params={"fieldManager": "kubectl-edit"}
        )
        assert answer.is_success, answer.text
        return answer.json()

    def status(self, plural: str, name: str, status: dict[str, Any]) -> None:
        """Play a controller or a node."""
        self.patch(plural, name, {"status": status}, sub="/status")

    def rolled_out(self, plural: str, name: str, count: int = 1) -> None:
        generation = self.get(plural, name)["metadata"]["generation"]
        all_ = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        if plural == "daemonsets":
            all_ = ("desiredNumberScheduled", "updatedNumberScheduled", "numberReady", "currentNumberScheduled")
        status: dict[str, Any] = dict.fromkeys(all_, count)
        if plural == "daemonsets":
            status["numberMisscheduled"] = 0
        self.status(plural, name, {"observedGeneration": generation, **status})

    def pod(self, plural: str, workload: str, name: str, status: dict[str, Any]) -> None:
        """Play a controller that makes a pod, and a node that runs it."""
        template = self.get(plural, workload)["spec"]["template"]
        made = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": template["metadata"]["labels"]},
            "spec": template["spec"],
        }
        answer = self.admin.post(self.path("pods"), json=made)
        assert answer.is_success, answer.text
        self.status("pods", name, status)

    async def runtime(self, core_instance: str = "north", **others: Any) -> Kubernetes:
        """A core instance's runtime with the rights that were installed, started and with its identity kept."""
        cluster = Cluster(kubeconfig.find(str(self.account)))
        reader = "nectary-core-reader"
        made_of = {name: others.pop(name) for name in ("patience", "holder") if name in others}
        settings = Settings(core_instance, self.namespace, **{"reader": reader, "node_logs": True, **others})
        made = Kubernetes(settings, cluster, **made_of)
        self.opened.append(made)
        await made.start()
        if await made.keep.read() is None:
            await made.keep.write(b'{"id": "a1", "project_id": "b1", "private_key": "key"}')
        return made


def install(admin: httpx.Client, namespace: str) -> None:
    """What deploy/kubernetes/nectary-core.yaml installs, into a namespace of another name, and without the core instance."""
    for made in yaml.safe_load_all(PLAIN.read_text().replace("namespace: nectary\n", f"namespace: {namespace}\n")):
        if made["kind"] == "Namespace":
            made["metadata"]["name"] = namespace
        if made["kind"].startswith("Cluster"):
            made["metadata"]["name"] = f"{namespace}-{made['metadata']['name']}"
            if "roleRef" in made:
                made["roleRef"]["name"] = f"{namespace}-{made['roleRef']['name']}"
        if made["kind"] != "Deployment":
            kube.kubectl_like(admin, made)


@pytest.fixture
async def place(
    kubernetes_api: kube.Api, tmp_path: Path, uninstall: Callable[[httpx.Client, str], None]
) -> AsyncIterator[Place]:
    access = kubeconfig.find(str(kubernetes_api.kubeconfig))
    namespace = f"nectary-test-{uuid4().hex[:8]}"
    auth = httpx.Auth() if access.auth is None else access.auth
    with httpx.Client(base_url=access.server, verify=access.tls, auth=auth, trust_env=False, timeout=30) as admin:
        install(admin, namespace)
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/nectary-core/token"
        answer = await asyncio.to_thread(admin.post, path, json=asked)
        assert answer.is_success, answer.text
        config = yaml.safe_load(kubernetes_api.kubeconfig.read_text())
        config["users"] = [{**user, "user": {"token": answer.json()["status"]["token"]}} for user in config["users"]]
        for context in config["contexts"]:
            context["context"]["namespace"] = namespace
        account = tmp_path / "account.yaml"
        account.touch(0o600)
        account.write_text(yaml.safe_dump(config))
        made = Place(admin, namespace, account, kubernetes_api.played)
        try:
            yield made
        finally:
            for runtime in made.opened:
                await runtime.close(stop=False)
            uninstall(admin, namespace)


@pytest.fixture(scope="session")
def uninstall() -> Callable[[httpx.Client, str], None]:
    def away(admin: httpx.Client, namespace: str) -> None:
        admin.delete(f"/api/v1/namespaces/{namespace}")
        for plural in ("clusterroles", "clusterrolebindings"):
            root = f"/apis/rbac.authorization.k8s.io/v1/{plural}"
            for found in admin.get(root).json()["items"]:
                if found["metadata"]["name"].startswith(f"{namespace}-"):
                    admin.delete(f"{root}/{found['metadata']['name']}")

    return away
