"""How a core instance finds its cluster and says who it is."""

import base64
import ssl
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from nectary.core.runtimes import RuntimeUnavailableError
from nectary.core.runtimes.kubernetes import kubeconfig
from nectary.core.runtimes.kubernetes.cluster import ApiError, Cluster
from nectary.core.runtimes.kubernetes.runtime import Kubernetes
from nectary.core.runtimes.kubernetes.settings import Settings
from tests.core.kubernetes.pipelines import SMALL

CONFIG: dict[str, Any] = {
    "current-context": "one",
    "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "telemetry"}}],
    "clusters": [{"name": "c", "cluster": {"server": "http://cluster.example/"}}],
    "users": [{"name": "u", "user": {}}],
}
NO_AUTHORITY = {"server": "https://cluster.example", "certificate-authority-data": base64.b64encode(b"no").decode()}


def written(folder: Path, user: dict[str, Any], **cluster: Any) -> str:
    config = {
        **CONFIG,
        "clusters": [{"name": "c", "cluster": {"server": "http://cluster.example/", **cluster}}],
        "users": [{"name": "u", "user": user}],
    }
    file = folder / "config"
    file.write_text(yaml.safe_dump(config))
    return str(file)


class Answers(httpx.AsyncBaseTransport):
    """Answers in turn, and remembers what was asked."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers, self.asked = list(answers), list[httpx.Request]()
        self.shown: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        self.shown.append(request.headers.get("Authorization", ""))  # which a second try changes
        return self.answers.pop(0) if self.answers else httpx.Response(200, json={"gitVersion": "v1.37.2"})


async def asked_with(path: str, *answers: httpx.Response) -> list[str]:
    """The Authorization headers of two calls."""
    wire = Answers(*answers)
    async with Cluster(kubeconfig.find(path), transport=wire) as cluster:
        for _ in range(2):
            assert await cluster.version() == "v1.37.2"
    return wire.shown


async def test_a_token_and_the_contexts_namespace_are_taken(tmp_path: Path) -> None:
    path = written(tmp_path, {"token": "t"})
    assert kubeconfig.find(path).namespace == "telemetry"
    assert await asked_with(path) == ["Bearer t"] * 2


async def test_a_renewed_token_in_a_file_is_read_after_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("old\n")
    access = kubeconfig.find(written(tmp_path, {"tokenFile": "token"}))
    wire = Answers(httpx.Response(200, json={}), httpx.Response(401, json={}))
    async with Cluster(access, transport=wire) as cluster:
        await cluster.version()
        (tmp_path / "token").write_text("new\n")
        with pytest.raises(RuntimeUnavailableError, match="does not know us"):
            await cluster.version()
        await cluster.version()
    assert wire.shown == ["Bearer old", "Bearer old", "Bearer new"]


def program(folder: Path, code: str) -> dict[str, Any]:
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": ["-c", code]}}


async def test_a_program_that_fetches_a_token_is_asked_once_and_again_when_it_is_refused(tmp_path: Path) -> None:
    code = """if True:
        import json, os, pathlib
        assert "ExecCredential" in os.environ["KUBERNETES_EXEC_INFO"]
        with open(os.environ["COUNT"], "a+") as file:
            print(json.dumps({"status": {"token": f"t{file.tell()}"}}))
            file.write("x")
    """
    user = program(tmp_path, code)
    user["exec"]["env"] = [{"name": "COUNT", "value": str(tmp_path / "count")}]
    answers = httpx.Response(200, json={"gitVersion": "v1.37.2"}), httpx.Response(401, json={})
    assert await asked_with(written(tmp_path, user), *answers) == ["Bearer t0", "Bearer t0", "Bearer t1"]


@pytest.mark.parametrize(
    ("code", "said"), [("print('no')", "gave no token"), ("import sys; sys.exit('log in first')", "log in first")]
)
async def test_a_program_without_a_token_is_quoted(tmp_path: Path, code: str, said: str) -> None:
    async with Cluster(kubeconfig.find(written(tmp_path, program(tmp_path, code))), transport=Answers()) as cluster:
        with pytest.raises(RuntimeUnavailableError, match=said):
            await cluster.version()


async def test_a_program_that_is_missing_is_named(tmp_path: Path) -> None:
    user = {"exec": {"command": "/nonexistent/cloud-login"}}
    async with Cluster(kubeconfig.find(written(tmp_path, user)), transport=Answers()) as cluster:
        with pytest.raises(RuntimeUnavailableError, match="/nonexistent/cloud-login cannot be run"):
            await cluster.version()


def test_certificates_are_taken_from_files_and_from_the_text(tmp_path: Path) -> None:
    from tests.core.kubernetes.node import _tls

    _tls(tmp_path)
    pem = (tmp_path / "kubelet.pem").read_bytes()
    inline = {"client-certificate-data": base64.b64encode(pem).decode(), "client-key-data": base64.b64encode(pem).decode()}
    for user in (inline, {"client-certificate": "kubelet.pem", "client-key": "kubelet.pem"}):
        tls = kubeconfig.find(written(tmp_path, user, server="https://c", **{"certificate-authority": "kubelet.pem"})).tls
        assert isinstance(tls, ssl.SSLContext)
        assert tls.verify_mode is ssl.CERT_REQUIRED
        assert tls.cert_store_stats()["x509"] == 1
    trusting = kubeconfig.find(written(tmp_path, {}, server="https://c", **{"insecure-skip-tls-verify": True})).tls
    assert isinstance(trusting, ssl.SSLContext)
    assert trusting.verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be used"),
        ("current-context: two\ncontexts: []\n", "no 'two' among its contexts"),
        ("[]", "cannot be used"),
        ("", "not as a kubeconfig has them"),
        ("token: s3cret: [\n", "it is no YAML: mapping values are not allowed here in line 1$"),
        (yaml.safe_dump({**CONFIG, "clusters": [{"name": "c", "cluster": {"server": 5}}]}), "not as a kubeconfig has them"),
        (yaml.safe_dump({**CONFIG, "users": [{"name": "u", "user": {"client-certificate": "none"}}]}), "No such file"),
        (yaml.safe_dump({**CONFIG, "clusters": [{"name": "c", "cluster": NO_AUTHORITY}]}), "cannot be used"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(RuntimeUnavailableError, match=said):
        kubeconfig.find(str(tmp_path / "config"))


def test_without_a_cluster_it_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeUnavailableError, match="no cluster: we run in no pod"):
        kubeconfig.find(str(tmp_path / "none"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(RuntimeUnavailableError, match="no cluster: this pod has no account at"):
        kubeconfig.find(str(tmp_path / "none"))


def test_of_several_kubeconfigs_the_first_that_is_there_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'none'}:{written(tmp_path, {})}")
    assert kubeconfig.find().namespace == "telemetry"
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'none'}:{tmp_path / 'neither'}")
    with pytest.raises(RuntimeUnavailableError, match=rf"no kubeconfig at {tmp_path / 'none'}"):
        kubeconfig.find()


async def test_a_busy_cluster_is_asked_again_when_it_says(tmp_path: Path) -> None:
    busy = httpx.Response(429, headers={"Retry-After": "0"}, json={})
    assert len(await asked_with(written(tmp_path, {}), busy, busy)) == 4


async def test_lists_are_read_page_by_page(tmp_path: Path) -> None:
    pages = [
        {"items": [{"metadata": {"name": "a"}}], "metadata": {"continue": "next"}},
        {"items": [{"metadata": {"name": "b"}}]},
    ]
    wire = Answers(*(httpx.Response(200, json=page) for page in pages))
    async with Cluster(kubeconfig.find(written(tmp_path, {})), transport=wire) as cluster:
        assert [one["metadata"]["name"] for one in await cluster.all_of("Secret")] == ["a", "b"]
    assert wire.asked[1].url.params["continue"] == "next"


async def test_a_refusal_is_told_in_kubernetes_words_and_a_proxys_page_is_cut(tmp_path: Path) -> None:
    status = {"reason": "Forbidden", "message": "secrets is forbidden"}
    wire = Answers(httpx.Response(403, json=status), httpx.Response(502, text="<html>" + "x" * 1000))
    async with Cluster(kubeconfig.find(written(tmp_path, {})), transport=wire) as cluster:
        with pytest.raises(ApiError) as first:
            await cluster.get("Secret", "a")
        with pytest.raises(ApiError) as second:
            await cluster.get("Secret", "a")
    assert (first.value.reason, str(first.value)) == ("Forbidden", "secrets is forbidden")
    assert (second.value.reason, len(str(second.value))) == ("Http502", 300)


async def test_no_key_is_left_lying_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.core.kubernetes.node import _tls

    _tls(tmp_path)
    pem = base64.b64encode((tmp_path / "kubelet.pem").read_bytes()).decode()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    kubeconfig.find(written(tmp_path, {"client-certificate-data": pem, "client-key-data": pem}, server="https://c"))
    assert list((tmp_path / "tmp").iterdir()) == []


async def test_a_cluster_that_is_too_old_is_said_so(tmp_path: Path) -> None:
    wire = Answers(httpx.Response(200, json={"gitVersion": "v1.29.9"}))
    runtime = Kubernetes(Settings("north", "telemetry"), Cluster(kubeconfig.find(written(tmp_path, {})), transport=wire))
    with pytest.raises(RuntimeUnavailableError, match=r"Kubernetes v1.29.9; pipelines need 1.30"):
        await runtime.start()
    await runtime.close(stop=False)


async def test_a_fault_of_the_clusters_own_is_no_refusal_of_a_pipeline(tmp_path: Path) -> None:
    """Nothing is there, then a ConfigMap is asked for and not found, and the cluster breaks at its making."""
    nothing = [httpx.Response(200, json={"items": []}) for _ in range(8)]
    missing = [httpx.Response(404, json={"reason": "NotFound", "message": "no"}) for _ in range(3)]
    broken = httpx.Response(500, json={"reason": "InternalError", "message": "etcdserver: leader changed"})
    wire = Answers(*nothing, *missing, broken)
    runtime = Kubernetes(Settings("north", "telemetry"), Cluster(kubeconfig.find(written(tmp_path, {})), transport=wire))
    with pytest.raises(RuntimeUnavailableError, match="leader changed"):
        await runtime.apply(SMALL)
    await runtime.close(stop=False)
