"""What Kubernetes objects pipelines become."""

import base64
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from nectary.core.runtimes import Deployment, File, Port, Resources, Scaling, Sidecar, Trial
from nectary.core.runtimes.kubernetes import trials
from nectary.core.runtimes.kubernetes.manifests import plan
from nectary.core.runtimes.kubernetes.settings import CannotDeployError, Object, Settings
from tests.core.kubernetes import pipelines
from tests.core.kubernetes.pipelines import CLUSTER_LOGGING, FULL, OWNER, SETTINGS, SMALL, STATEFUL

GOLDEN = Path(__file__).parent / "golden"
LOGGING = replace(SETTINGS, node_logs=True)
VERSIONS = ["1.32", "1.34", "1.37"]


class Written(yaml.SafeDumper):
    """Without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def objects(deployment: Deployment, settings: Settings = LOGGING) -> list[Object]:
    return list(plan(settings, deployment, OWNER).objects)


def one(kind: str, deployment: Deployment, settings: Settings = LOGGING) -> Any:
    found = [made for made in objects(deployment, settings) if made["kind"] == kind]
    assert len(found) == 1, f"{len(found)} of kind {kind}"
    return found[0]


def pod(deployment: Deployment, settings: Settings = LOGGING) -> Any:
    workload = next(made for made in objects(deployment, settings) if made["apiVersion"] == "apps/v1")
    return workload["spec"]["template"]["spec"]


def beside(**spec: Any) -> Sidecar:
    return Sidecar("proxy", {"name": "proxy", "image": "registry.example/proxy:1", **spec})


@pytest.mark.parametrize("name", pipelines.ALL)
def test_a_pipeline_becomes_the_objects_that_are_written_down(name: str) -> None:
    made = yaml.dump_all(objects(pipelines.ALL[name]), Dumper=Written, sort_keys=False, width=120)
    file = GOLDEN / f"{name}.yaml"
    if os.environ.get("WRITE_GOLDEN"):
        file.write_text(made)
    assert made == file.read_text(), "if this is meant, write them anew with WRITE_GOLDEN=1, and read what changed"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", pipelines.ALL)
def test_every_object_is_one_by_kubernetes_own_schemas(name: str, version: str) -> None:
    for made in objects(pipelines.ALL[name]):
        kubernetes_validate.validate(made, version, strict=True)


def test_a_trial_is_a_pod_by_kubernetes_own_schema() -> None:
    made = trials.objects(SETTINGS, Trial("t1", pipelines.HTTP_TO_HTTP, environment={"A": "b"}), OWNER)
    for found in made:
        kubernetes_validate.validate(found, VERSIONS[-1], strict=True)
        assert found["metadata"]["labels"]["app.kubernetes.io/component"] == "check"
    assert [found["kind"] for found in made] == ["ConfigMap", "Secret", "ServiceAccount", "Pod"]
    assert made[-1]["spec"]["restartPolicy"] == "Never"


def test_the_schemas_would_notice_a_wrong_object() -> None:
    wrong = one("Deployment", SMALL)
    wrong["spec"]["template"]["spec"]["containers"][0]["imagePullPolice"] = "Always"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_the_same_pipeline_gives_the_same_bytes_in_another_process() -> None:
    code = "from tests.core.kubernetes.pipelines import *; import json; "
    code += "from nectary.core.runtimes.kubernetes.manifests import plan; "
    code += "print(json.dumps(plan(SETTINGS, FULL, OWNER).objects))"
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] != b""


def test_objects_are_called_as_the_originals_were() -> None:
    made = [(found["kind"], found["metadata"]["name"]) for found in objects(FULL)]
    assert made == [
        ("ConfigMap", "checkout"),
        ("Secret", "checkout"),
        ("Secret", "checkout-files"),
        ("ServiceAccount", "checkout"),
        ("Deployment", "checkout"),
        ("Service", "checkout-tcp9880"),
        ("Service", "checkout-tcp30020"),
        ("HorizontalPodAutoscaler", "checkout"),
    ]


@pytest.mark.parametrize("name", pipelines.ALL)
def test_every_object_belongs_to_the_core_instances_secret(name: str) -> None:
    for made in objects(pipelines.ALL[name]):
        assert made["metadata"]["ownerReferences"] == [
            {"apiVersion": "v1", "kind": "Secret", "name": OWNER.name, "uid": OWNER.uid}
        ]
        assert made["metadata"]["labels"]["calyptia_pipeline_id"] == pipelines.ALL[name].pipeline_id


@pytest.mark.parametrize("name", [name for name in pipelines.ALL if name != "cluster-logging"])
def test_a_pod_has_no_rights(name: str) -> None:
    spec = pod(pipelines.ALL[name])
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        rights = container["securityContext"]
        assert rights["readOnlyRootFilesystem"] is True
        assert rights["allowPrivilegeEscalation"] is False
        assert rights["capabilities"] == {"drop": ["ALL"]}
    assert not any("hostPath" in volume for volume in spec["volumes"])


def test_secrets_stand_in_secrets_only() -> None:
    made = objects(FULL)
    plain = yaml.safe_dump_all([found for found in made if found["kind"] != "Secret"])
    assert "s3cret" not in plain
    assert "sealed" not in plain
    assert base64.b64encode(b"s3cret").decode() not in plain
    files = next(found for found in made if found["metadata"]["name"] == "checkout-files")
    assert base64.b64decode(files["data"]["ca.pem"]) == b"sealed"


def test_folders_and_ports_of_the_pod_stand_in_the_configuration() -> None:
    text = one("ConfigMap", FULL)["data"]["nectary.pipeline.yaml"]
    assert "/nectary/pipeline/ca.pem" in text
    assert "storage.path: /nectary/storage" in text
    assert "${NECTARY_SECRET_TOKEN}" in text
    assert "NECTARY_HTTP_PORT" not in text
    service = yaml.safe_load(text)["service"]
    assert (service["http_listen"], str(service["http_port"])) == ("0.0.0.0", "2020")


def test_fluent_bits_own_server_makes_way_for_an_input() -> None:
    spec = pod(STATEFUL)
    container = spec["containers"][0]
    assert container["readinessProbe"]["httpGet"]["port"] == 2021
    assert {(port["name"], port["containerPort"]) for port in container["ports"]} == {
        ("http", 2021),
        ("udp-514", 514),
        ("tcp-2020", 2020),
    }
    assert spec["securityContext"]["sysctls"] == [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]


def test_port_0_is_fluent_bits_own_server() -> None:
    service = next(made for made in objects(FULL) if made["metadata"]["name"] == "checkout-tcp30020")
    assert service["spec"]["ports"] == [{"name": "tcp-30020", "protocol": "TCP", "port": 30020, "targetPort": 2020}]


@pytest.mark.parametrize("settings", [replace(SETTINGS, skip_services=True), SETTINGS])
def test_services_can_be_left_out(settings: Settings) -> None:
    deployment = FULL if settings.skip_services else replace(FULL, scheduling={**FULL.scheduling, "skipServiceCreation": True})
    assert not [made for made in objects(deployment, settings) if made["kind"] == "Service"]


def test_with_an_autoscaler_the_number_of_replicas_is_left_to_it() -> None:
    assert "replicas" not in one("Deployment", FULL)["spec"]
    scaler = one("HorizontalPodAutoscaler", FULL)["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 6)
    assert scaler["behavior"]["scaleDown"]["policies"] == [{"type": "Percent", "value": 50, "periodSeconds": 60}]


@pytest.mark.parametrize(
    "scaling", [Scaling(2, 1, 5, up=("Pods", 1, 60)), Scaling(2, 1, 5, 50, 0, ("Pods", 1, 60), ("Pods", 0, 60)), Scaling(2)]
)
def test_without_steps_up_and_down_there_is_no_autoscaler(scaling: Scaling) -> None:
    made = objects(replace(SMALL, scaling=scaling))
    assert not [found for found in made if found["kind"] == "HorizontalPodAutoscaler"]
    assert next(found for found in made if found["kind"] == "Deployment")["spec"]["replicas"] == 2


def test_a_change_of_replicas_restarts_nobody() -> None:
    assert plan(SETTINGS, replace(SMALL, scaling=Scaling(5)), OWNER).content == plan(SETTINGS, SMALL, OWNER).content
    assert pod(replace(SMALL, scaling=Scaling(5))) == pod(SMALL)


def test_a_changed_configuration_restarts_pods_unless_they_reload() -> None:
    changed = pipelines.HTTP_TO_HTTP.replace("collector", "other")
    assert changed != pipelines.HTTP_TO_HTTP
    assert plan(SETTINGS, replace(SMALL, config=changed)).content != plan(SETTINGS, SMALL).content
    assert plan(SETTINGS, replace(FULL, config=changed)).content == plan(SETTINGS, FULL).content
    assert plan(SETTINGS, replace(FULL, environment={"NECTARY_SECRET_TOKEN": "new"})).content != plan(SETTINGS, FULL).content


def test_cluster_logging_reads_the_node_and_asks_the_cluster() -> None:
    spec = pod(CLUSTER_LOGGING)
    mounts = {mount["mountPath"]: mount.get("readOnly") for mount in spec["containers"][0]["volumeMounts"]}
    assert mounts["/var/log"] is True
    assert mounts["/var/lib/docker/containers"] is True
    assert spec["serviceAccountName"] == "nectary-core-reader"
    assert spec["automountServiceAccountToken"] is True
    assert spec["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not [made for made in objects(CLUSTER_LOGGING) if made["kind"] == "ServiceAccount"]


def test_the_nodes_logs_are_read_only_where_that_was_allowed() -> None:
    with pytest.raises(CannotDeployError, match="clusterLogging=true") as refused:
        plan(SETTINGS, CLUSTER_LOGGING, OWNER)
    assert refused.value.reason == "NodeLogsNotAllowed"
    assert not any("hostPath" in volume for volume in pod(replace(CLUSTER_LOGGING, kind="deployment"), SETTINGS)["volumes"])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"scheduling": {"serviceAccount": "nectary-core"}}, "AccountNotAllowed"),
        ({"scheduling": {"kubernetesSecretName": "nectary-token"}}, "SecretNotAllowed"),
        ({"scheduling": {"secretVolumeMounts": [{"secretName": "nectary-north"}]}}, "SecretNotAllowed"),
        ({"sidecars": (beside(volumes=[{"name": "a", "secret": {"secretName": "nectary-north"}}]),)}, "SecretNotAllowed"),
        (
            {"sidecars": (beside(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "nectary-token", "key": "t"}}}]),)},
            "SecretNotAllowed",
        ),
    ],
)
def test_no_pipeline_becomes_the_core_instance(change: dict[str, Any], reason: str) -> None:
    settings = replace(SETTINGS, own_account="nectary-core", own_secrets=("nectary-token",))
    with pytest.raises(CannotDeployError, match="core instance") as refused:
        plan(settings, replace(SMALL, **change), OWNER)
    assert refused.value.reason == reason


def test_a_pipeline_with_an_account_of_its_own_gets_none_from_us() -> None:
    deployment = replace(SMALL, scheduling={"serviceAccount": "s3-writer"})
    assert pod(deployment)["serviceAccountName"] == "s3-writer"
    assert not [made for made in objects(deployment) if made["kind"] == "ServiceAccount"]


def test_tolerations_of_the_core_instance_are_for_pipelines_without_their_own() -> None:
    settings = replace(
        SETTINGS, tolerations=({"operator": "Exists"},), annotations={"a": "instance", "linkerd.io/inject": "disabled"}
    )
    assert pod(SMALL, settings)["tolerations"] == [{"operator": "Exists"}]
    assert pod(FULL, settings)["tolerations"][0]["key"] == "dedicated"
    annotations = one("Deployment", FULL, settings)["spec"]["template"]["metadata"]["annotations"]
    assert (annotations["a"], annotations["linkerd.io/inject"]) == ("instance", "enabled")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"config": "pipeline: [\n"}, "ConfigInvalid"),
        ({"files": (File("big", b"x" * 1024 * 1024),)}, "ConfigTooLarge"),
        ({"files": (File("big", b"x" * (1024 * 1024 + 1), secret=True),)}, "SecretsTooLarge"),
        ({"files": (File("nectary.pipeline.yaml", b"x"),)}, "InvalidFileName"),
        ({"resources": Resources(memory_limit="much")}, "InvalidQuantity"),
        ({"resources": Resources(volume_size="1 Gi")}, "InvalidQuantity"),
    ],
)
def test_what_no_cluster_would_take_is_refused_in_words(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(CannotDeployError) as refused:
        plan(SETTINGS, replace(SMALL, **change), OWNER)
    assert refused.value.reason == reason


@pytest.mark.parametrize("quantity", ["1", "0.5", "1.", "100m", "1e3", "12E6", "1k", "64Ki", "1Ei", "3n"])
def test_every_quantity_of_kubernetes_is_taken(quantity: str) -> None:
    assert pod(replace(SMALL, resources=Resources(quantity)))["containers"][0]["resources"] == {"requests": {"cpu": quantity}}


def test_long_names_are_cut_and_stay_apart() -> None:
    long, other = replace(STATEFUL, name="a" * 63), replace(STATEFUL, name="a" * 62 + "b")
    names = [one("StatefulSet", deployment)["metadata"]["name"] for deployment in (long, other)]
    assert len(set(names)) == 2
    assert all(len(name) <= 52 for name in names)
    services = [made["metadata"]["name"] for made in objects(long) if made["kind"] == "Service"]
    assert len(set(services)) == 2
    assert all(len(name) <= 63 for name in services)


def test_a_services_name_begins_with_a_letter() -> None:
    made = one("Service", replace(SMALL, name="7up", ports=(Port("p", "tcp", 80, 8080),)))
    assert made["metadata"]["name"] == "p-7up-tcp80"
