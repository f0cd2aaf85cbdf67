"""Plays a node: takes pods of one namespace and runs the real Fluent Bit of each, with its files and environment.

Every pod gets an address of its own in 127.0.0.0/8. Logs are shown to the API server as a kubelet does.
"""

import base64
import contextlib
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Running:
    """The Fluent Bit of one pod."""

    def __init__(self, folder: Path, fluent_bit: str, address: str, pod: Any, objects: "Objects") -> None:
        self.address, self._lines = address, list[str]()
        self._folder = folder / pod["metadata"]["uid"]
        (self._folder / "storage").mkdir(parents=True)
        (self._folder / "pipeline").mkdir()
        config = self.mount(pod, objects)
        environment = {"PATH": "/usr/bin:/bin"}
        for source in pod["spec"]["containers"][0].get("envFrom", ()):
            environment |= {key: value.decode() for key, value in objects.data({"secret": source["secretRef"]}).items()}
        options = pod["spec"]["containers"][0]["args"][1:]
        command = [fluent_bit, f"--config={config}", *options]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def mount(self, pod: Any, objects: "Objects") -> Path:
        """What the pod's projected volume holds now; gives where its configuration lies."""
        made = self._folder / "pipeline"
        for source in (one for volume in pod["spec"]["volumes"] for one in volume.get("projected", {}).get("sources", ())):
            for name, content in objects.data(source).items():
                (made / name).write_bytes(content)
        config: Path = made / "nectary.pipeline.yaml"
        text = config.read_text().replace("/nectary/pipeline", str(made)).replace("/nectary/storage", f"{made.parent}/storage")
        config.write_text(text.replace("0.0.0.0", self.address))
        return config

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as out:
            for line in out:
                self._lines.append(f"{datetime.now(UTC).isoformat().replace('+00:00', 'Z')} {line}")

    def log(self, lines: int, since: int) -> str:
        begin = (datetime.now(UTC) - timedelta(seconds=since)).isoformat()
        return "".join([line for line in self._lines if line >= begin][-lines:])

    def end(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self._reader.join(10)


class Objects:
    """The ConfigMaps and Secrets of the namespace, as a kubelet reads them."""

    def __init__(self, admin: httpx.Client, namespace: str) -> None:
        self._admin, self._root = admin, f"/api/v1/namespaces/{namespace}"

    def data(self, source: Any) -> dict[str, bytes]:
        if "secret" in source:
            found = self._admin.get(f"{self._root}/secrets/{source['secret']['name']}").json()
            return {key: base64.b64decode(value) for key, value in found.get("data", {}).items()}
        found = self._admin.get(f"{self._root}/configmaps/{source['configMap']['name']}").json()
        binary = {key: base64.b64decode(value) for key, value in found.get("binaryData", {}).items()}
        return {key: value.encode() for key, value in found.get("data", {}).items()} | binary


class Node:
    """A node with its loop. `pods`: name -> what runs of it."""

    def __init__(self, admin: httpx.Client, namespace: str, folder: Path, fluent_bit: str) -> None:
        self.pods: dict[str, Running] = {}
        self.name = f"{namespace}-node"
        self._admin, self._pods, self._folder, self._fluent_bit = (
            admin,
            f"/api/v1/namespaces/{namespace}/pods",
            folder,
            fluent_bit,
        )
        self._objects = Objects(admin, namespace)
        self._stop = threading.Event()
        self.fault: Exception | None = None

    def turn(self) -> None:
        found = {pod["metadata"]["name"]: pod for pod in self._admin.get(self._pods).json()["items"]}
        for name in self.pods.keys() - found.keys():
            self.pods.pop(name).end()
        for name, pod in found.items():
            if pod["metadata"].get("deletionTimestamp"):
                if name in self.pods:
                    self.pods.pop(name).end()
                self._admin.request("DELETE", f"{self._pods}/{name}", json={"gracePeriodSeconds": 0})
            elif name not in self.pods:
                self._take(pod)
            elif (code := self.pods[name].process.poll()) is not None:
                self._ended(pod, code)
            elif not _is_ready(pod) and "readinessProbe" in pod["spec"]["containers"][0]:
                self._probe(pod)

    def _ended(self, pod: Any, code: int) -> None:
        ended = {"terminated": {"exitCode": code, "reason": "Error"}}
        if pod["spec"]["restartPolicy"] == "Never":
            self._status(pod, {"phase": "Failed" if code else "Succeeded"}, {"state": ended}, ready=False)
            return
        waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}}
        self._status(pod, {"phase": "Running"}, {"state": waiting, "lastState": ended, "restartCount": 1}, ready=False)

    def _probe(self, pod: Any) -> None:
        """Ready is whose probe answers."""
        probe = pod["spec"]["containers"][0]["readinessProbe"]["httpGet"]
        address = self.pods[pod["metadata"]["name"]].address
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"http://{address}:{probe['port']}{probe['path']}", trust_env=False).is_success:
                self._status(pod, {"phase": "Running"}, {"state": {"running": {"startedAt": _now()}}}, ready=True)

    def _take(self, pod: Any) -> None:
        name = pod["metadata"]["name"]
        target = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name},
            "target": {"kind": "Node", "name": self.name},
        }
        if not pod["spec"].get("nodeName"):
            assert self._admin.post(f"{self._pods}/{name}/binding", json=target).is_success
        address = "127." + ".".join(str(octet % 250 + 2) for octet in uuid4().bytes[:3])
        self.pods[name] = Running(self._folder, self._fluent_bit, address, pod, self._objects)
        running = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "hostIP": "127.0.0.1",
            "startTime": _now(),
        }
        self._status(pod, running, {"state": {"running": {"startedAt": _now()}}}, ready=False)

    def _status(self, pod: Any, status: dict[str, Any], container: dict[str, Any], *, ready: bool) -> None:
        usual = {"name": "fluent-bit", "image": pod["spec"]["containers"][0]["image"], "imageID": "", "restartCount": 0}
        conditions = [
            {"type": name, "status": str(ready), "lastTransitionTime": _now()}
            for name in ("Ready", "ContainersReady")
            if _is_ready(pod) != ready or not pod.get("status", {}).get("conditions")
        ]
        change = {**status, "containerStatuses": [{**usual, **container, "ready": ready}]}
        headers = {"Content-Type": "application/strategic-merge-patch+json"}
        body = {"status": change | ({"conditions": conditions} if conditions else {})}
        self._admin.patch(f"{self._pods}/{pod['metadata']['name']}/status", json=body, headers=headers)

    def remount(self) -> None:
        """What a kubelet does within a minute of a change, and the container beside Fluent Bit then."""
        for pod in self._admin.get(self._pods).json()["items"]:
            running = self.pods[pod["metadata"]["name"]]
            running.mount(pod, self._objects)
            if "nectary-reload" in [container["name"] for container in pod["spec"]["containers"]]:
                assert httpx.post(f"http://{running.address}:2020/api/v2/reload", trust_env=False).is_success

    def work(self) -> None:
        while not self._stop.wait(0.1):
            try:
                self.turn()
            except Exception as error:  # told at the end
                self.fault = error
                return

    def stop(self) -> None:
        self._stop.set()

    def end(self) -> None:
        """What runs still, once the work is over."""
        for running in self.pods.values():
            running.end()


def _is_ready(pod: Any) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def playing(admin: httpx.Client, namespace: str, folder: Path, fluent_bit: str) -> Iterator[Node]:
    """A node at work for the length of a block."""
    node = Node(admin, namespace, folder, fluent_bit)

    class Kubelet(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts, asked = urlsplit(self.path).path.split("/"), parse_qs(urlsplit(self.path).query)
            running = node.pods.get(parts[3]) if parts[1] == "containerLogs" else None
            since = int(asked.get("sinceSeconds", ["86400"])[0])
            body = running.log(int(asked["tailLines"][0]), since).encode() if running else b""
            self.send_response(200 if running else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Kubelet)
    server.socket = _tls(folder).wrap_socket(server.socket, server_side=True)
    threads = [threading.Thread(target=server.serve_forever), threading.Thread(target=node.work)]
    made = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node.name}}
    assert admin.post("/api/v1/nodes", json=made).is_success
    status = {
        "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": _now()}],
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": server.server_address[1]}},
    }
    headers = {"Content-Type": "application/merge-patch+json"}
    assert admin.patch(f"/api/v1/nodes/{node.name}/status", json={"status": status}, headers=headers).is_success
    for thread in threads:
        thread.start()
    try:
        yield node
    finally:
        node.stop()
        server.shutdown()
        server.server_close()
        for thread in threads:
            thread.join(30)
        node.end()
        admin.delete(f"/api/v1/nodes/{node.name}")
    assert node.fault is None, node.fault


def _tls(folder: Path) -> ssl.SSLContext:
    """A certificate that nobody checks: the API server takes a kubelet's as it comes unless told otherwise."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "node")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    file = folder / "kubelet.pem"
    plain = serialization.NoEncryption()
    file.write_bytes(
        made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
