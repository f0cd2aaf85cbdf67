"""A Kubernetes API of the tests' own: kube-apiserver and etcd on loopback. Tests play the nodes and controllers."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.harness.ports import free_port

_TOKEN = "admin-of-this-test"
_USUAL = "/usr/local/kubebuilder/bin"


@dataclass(frozen=True)
class Api:
    """A Kubernetes API and the kubeconfig of somebody who may do everything. `played`: nobody but tests writes statuses."""

    kubeconfig: Path
    played: bool


def programs() -> tuple[str, str] | None:
    """kube-apiserver and etcd: on the PATH, or where Kubernetes' own test environments put them (KUBEBUILDER_ASSETS)."""
    path = os.pathsep.join([os.environ.get("PATH", ""), os.environ.get("KUBEBUILDER_ASSETS", ""), _USUAL])
    api, etcd = shutil.which("kube-apiserver", path=path), shutil.which("etcd", path=path)
    return (api, etcd) if api and etcd else None


def controllers() -> str | None:
    """kube-controller-manager, if it is there, too."""
    path = os.pathsep.join([os.environ.get("PATH", ""), os.environ.get("KUBEBUILDER_ASSETS", ""), _USUAL])
    return shutil.which("kube-controller-manager", path=path)


@contextmanager
def controlled(api: Api, program: str, folder: Path) -> Iterator[None]:
    """Kubernetes' own controllers at work, for the length of a block."""
    command = [program, f"--kubeconfig={api.kubeconfig}", "--leader-elect=false", "--secure-port=0", "--v=0"]
    command += [f"--service-account-private-key-file={folder}/accounts.key", "--horizontal-pod-autoscaler-sync-period=2s"]
    with (folder / "controllers.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        try:
            yield
        finally:
            process.kill()
            process.wait(30)


@contextmanager
def running(folder: Path) -> Iterator[Api]:
    """Run both for a while, with everything they keep in a folder."""
    found = programs()
    assert found is not None
    api, etcd = found
    key = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "accounts.key").write_bytes(key)
    (folder / "tokens.csv").write_text(f'{_TOKEN},admin,admin,"system:masters"\n')
    client, peer, port = free_port(), free_port(), free_port()
    store = [etcd, f"--data-dir={folder}/etcd", "--unsafe-no-fsync", "--log-level=error"]
    store += [f"--listen-client-urls=http://127.0.0.1:{client}", f"--advertise-client-urls=http://127.0.0.1:{client}"]
    store += [f"--listen-peer-urls=http://127.0.0.1:{peer}", f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}"]
    store += [f"--initial-cluster=default=http://127.0.0.1:{peer}"]
    server = [api, f"--etcd-servers=http://127.0.0.1:{client}", "--bind-address=127.0.0.1", f"--secure-port={port}"]
    server += [f"--cert-dir={folder}/certs", f"--token-auth-file={folder}/tokens.csv", "--authorization-mode=RBAC"]
    server += ["--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.96.0.0/16"]
    server += [f"--service-account-key-file={folder}/accounts.key", f"--service-account-signing-key-file={folder}/accounts.key"]
    server += ["--endpoint-reconciler-type=none", "--allow-privileged=true", "--v=0"]
    with (folder / "log").open("wb") as log:
        processes = [subprocess.Popen(store, stdout=log, stderr=log, cwd=folder)]
        try:
            processes.append(subprocess.Popen(server, stdout=log, stderr=log, cwd=folder))
            _wait(f"https://127.0.0.1:{port}", processes, folder / "log")
            file = write_kubeconfig(
                folder / "admin.yaml", f"https://127.0.0.1:{port}", _TOKEN, folder / "certs" / "apiserver.crt"
            )
            yield Api(file, played=True)
        finally:
            for process in reversed(processes):  # nothing is to be kept, and a graceful end takes a minute
                process.kill()
                process.wait(30)


def _wait(url: str, processes: list[subprocess.Popen[bytes]], log: Path) -> None:
    until = time.monotonic() + 90
    headers = {"Authorization": f"Bearer {_TOKEN}"}
    with httpx.Client(verify=False, headers=headers, trust_env=False) as http:
        while time.monotonic() < until:
            if any(process.poll() is not None for process in processes):
                break
            try:
                ready = http.get(f"{url}/readyz", timeout=5).is_success
                if ready and http.get(f"{url}/api/v1/namespaces/default", timeout=5).is_success:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.2)
    raise AssertionError(f"the Kubernetes API did not start: {log.read_text()[-2000:]}")


def write_kubeconfig(file: Path, server: str, token: str, authority: Path, namespace: str = "default") -> Path:
    """A kubeconfig of mode 0600."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority": str(authority)}}],
        "users": [{"name": "somebody", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "somebody", "namespace": namespace}}],
        "current-context": "test",
    }
    file.touch(0o600)
    file.write_text(yaml.safe_dump(content))
    return file


def kubectl_like(client: httpx.Client, made: dict[str, Any]) -> dict[str, Any]:
    """Apply any object, of the kinds that installing takes, as an administrator would."""
    plural = {"ClusterRole": "clusterroles", "ClusterRoleBinding": "clusterrolebindings", "Namespace": "namespaces"}
    plural |= {"Role": "roles", "RoleBinding": "rolebindings", "ServiceAccount": "serviceaccounts", "Secret": "secrets"}
    plural |= {"Deployment": "deployments"}
    root = "/api/v1" if made["apiVersion"] == "v1" else f"/apis/{made['apiVersion']}"
    namespace = made["metadata"].get("namespace")
    path = f"{root}/namespaces/{namespace}" if namespace else root
    answer = client.patch(
        f"{path}/{plural[made['kind']]}/{made['metadata']['name']}",
        params={"fieldManager": "test", "force": "true"},
        headers={"Content-Type": "application/apply-patch+yaml"},
        json=made,
    )
    assert answer.is_success, answer.text
    return dict(answer.json())
