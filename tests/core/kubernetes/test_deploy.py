"""What is in deploy/ for a cluster: the chart and the plain objects say the same, and Kubernetes would take both."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from nectary.cli import core
from nectary.core import kubernetes_settings

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy" / "helm" / "nectary-core"
PLAIN = ROOT / "deploy" / "kubernetes" / "nectary-core.yaml"
SAME = Path(__file__).parent / "golden" / "chart.sha256"
MANAGED = "app.kubernetes.io/managed-by"
EVERYTHING = {
    "existingSecret": "token",
    "name": "north",
    "tags": ["a", "b"],
    "image": {"repository": "registry.example/nectary", "tag": "1.2.3"},
    "imagePullSecrets": [{"name": "registry"}, {"name": "other"}],
    "pipelineAnnotations": {"linkerd.io/inject": "enabled", "b": "c"},
    "pipelineTolerations": [
        {"operator": "Exists"},
        {"key": "logs", "operator": "Equal", "value": "yes", "effect": "NoExecute", "tolerationSeconds": 60},
    ],
    "serviceAnnotations": {"service.beta.kubernetes.io/aws-load-balancer-internal": "true"},
    "clusterLogging": True,
    "skipServiceCreation": True,
    "healthCheckPipeline": {"create": True, "port": 2222, "serviceType": "NodePort"},
    "httpsProxy": "http://proxy.example:3128",
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "podAnnotations": {"a": "b"},
    "extraEnv": [{"name": "TZ", "value": "UTC"}],
}


@pytest.fixture(scope="module")
def helm() -> str:
    found = shutil.which("helm")
    if found is None:
        pytest.skip("SKIPPED: no helm on the PATH: the chart is not rendered, and not held against the plain objects")
    return found


def rendered(helm: str, values: dict[str, Any], folder: Path, release: str = "nectary-core") -> list[Any]:
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    command = [helm, "template", release, str(CHART), "--kube-version", "1.34", "--namespace", "nectary", "--values", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [made for made in yaml.safe_load_all(done.stdout) if made]


def plain() -> list[Any]:
    return list(yaml.safe_load_all(PLAIN.read_text()))


def by_name(made: list[Any]) -> dict[tuple[str, str], Any]:
    """By kind and name, without who manages it, which is Helm or nobody."""
    for one in made:
        one["metadata"]["labels"].pop(MANAGED, None)
        one.get("spec", {}).get("template", {}).get("metadata", {}).get("labels", {}).pop(MANAGED, None)
    return {(one["kind"], one["metadata"]["name"]): one for one in made}


def environment(made: list[Any]) -> dict[str, str]:
    container = next(one for one in made if one["kind"] == "Deployment")["spec"]["template"]["spec"]["containers"][0]
    return {one["name"]: one.get("value", "") for one in container["env"]}


def digest() -> str:
    """Of the chart and the plain objects together."""
    files = [PLAIN, *sorted(file for file in CHART.rglob("*") if file.is_file())]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def test_the_plain_objects_are_the_charts_and_a_namespace(helm: str, tmp_path: Path) -> None:
    ours = by_name(plain())
    assert ours.pop(("Namespace", "nectary"))
    assert ours == by_name(rendered(helm, {"existingSecret": "nectary-core-token"}, tmp_path))
    if os.environ.get("WRITE_GOLDEN"):
        SAME.write_text(f"{digest()}\n")


def test_neither_the_chart_nor_the_plain_objects_changed_since_they_were_the_same() -> None:
    """Notices without Helm that one of the two was changed, and not the other."""
    why = "hold them against each other with helm on the PATH, and note that they are the same with WRITE_GOLDEN=1"
    assert SAME.read_text().strip() == digest(), why


@pytest.mark.parametrize("version", ["1.32", "1.37"])
def test_the_plain_objects_are_some_by_kubernetes_own_schemas(version: str) -> None:
    for made in plain():
        kubernetes_validate.validate(made, version, strict=True)


@pytest.mark.parametrize(
    "values", [{"token": "t"}, EVERYTHING, {"token": "t", "reader": {"create": False}, "namespaces": {"list": False}}]
)
def test_the_chart_gives_objects_by_kubernetes_own_schemas(helm: str, tmp_path: Path, values: dict[str, Any]) -> None:
    for made in rendered(helm, values, tmp_path, release="north"):
        kubernetes_validate.validate(made, "1.34", strict=True)
        assert made["metadata"].get("namespace", "nectary") == "nectary"


def test_a_chart_without_a_token_says_what_to_set(helm: str) -> None:
    done = subprocess.run(
        [helm, "template", "a", str(CHART), "--kube-version", "1.34"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "set token to a project token" in done.stderr


def test_the_charts_values_arrive_at_the_core_instance(helm: str, tmp_path: Path) -> None:
    told = environment(rendered(helm, EVERYTHING, tmp_path))
    assert told["NECTARY_NAME"] == "north"
    assert told["NECTARY_TAGS"] == "a,b"
    assert told["NECTARY_IMAGE_PULL_SECRETS"] == "registry,other"
    assert kubernetes_settings.pairs(told["NECTARY_ANNOTATIONS"]) == EVERYTHING["pipelineAnnotations"]
    assert kubernetes_settings.pairs(told["NECTARY_SERVICE_ANNOTATIONS"]) == EVERYTHING["serviceAnnotations"]
    assert kubernetes_settings.tolerations(told["NECTARY_TOLERATIONS"]) == EVERYTHING["pipelineTolerations"]
    assert kubernetes_settings.is_on(told, "CLUSTER_LOGGING")
    assert kubernetes_settings.is_on(told, "SKIP_SERVICE_CREATION")
    assert not kubernetes_settings.is_on(told, "EXTERNAL_TRAFFIC_LOCAL")
    assert kubernetes_settings.is_on(told, "ENABLE_HEALTH_CHECK_PIPELINE")
    assert told["NECTARY_HEALTH_CHECK_PIPELINE_PORT"] == "2222"
    assert told["NECTARY_HEALTH_CHECK_PIPELINE_SERVICE_TYPE"] == "NodePort"
    assert told["NECTARY_OWN_SECRETS"] == "token"
    assert told["HTTPS_PROXY"] == "http://proxy.example:3128"


def test_every_variable_that_is_set_is_read() -> None:
    read = "".join(Path(str(module.__file__)).read_text() for module in (core, kubernetes_settings))
    for name in environment(plain()):
        assert f'"{name.removeprefix("NECTARY_")}"' in read, name


def test_the_core_instance_gives_no_rights_and_reads_no_other_namespace() -> None:
    for made in plain():
        for rule in made.get("rules", ()):
            assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
            assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])
            assert "rbac.authorization.k8s.io" not in rule["apiGroups"]
            if made["kind"] == "ClusterRole":
                assert set(rule["verbs"]) <= {"get", "list", "watch"}
                assert set(rule["resources"]) <= {"namespaces", "pods", "events"}
