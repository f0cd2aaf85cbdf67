"""What people say of Kubernetes on the API, followed until it stands in the objects of the cluster."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import kubernetes_validate

from nectary.core.identity import FileKeep, Wanted, make_folder
from nectary.core.pace import Pace
from nectary.core.runtimes.fake import FakeRuntime, Machine
from nectary.core.runtimes.kubernetes.manifests import plan
from nectary.core.runtimes.kubernetes.settings import Object
from nectary.core.server import Server
from nectary.core.sync import CoreInstance
from tests.core.instances import Wire
from tests.core.kubernetes.pipelines import OWNER, SETTINGS
from tests.harness.pipelines import one, pipeline
from tests.harness.world import World

CONSTRAINT = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"a": "b"}}
HOOK = {"preStop": {"exec": {"command": ["sleep", "3"]}}}
SIDECAR = {
    "name": "proxy",
    "image": "registry.example/proxy:1",
    "imagePullPolicy": "Always",
    "command": ["/proxy"],
    "args": ["--quiet"],
    "env": [
        {"name": "A", "value": "b"},
        {"name": "P", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "password"}}},
        {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "proxy", "key": "level"}}},
    ],
    "resources": {"requests": {"cpu": "10m"}, "limits": {"memory": "32Mi"}},
    "ports": [{"containerPort": 15000, "protocol": "TCP"}],
    "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}, {"name": "tls", "mountPath": "/tls", "readOnly": True}],
    "volumes": [{"name": "scratch", "emptyDir": {}}, {"name": "tls", "secret": {"secretName": "proxy-tls"}}],
    "livenessProbe": {"httpGet": {"path": "/", "port": 15000}, "periodSeconds": 10},
    "readinessProbe": {"tcpSocket": {"port": 15000}},
    "startupProbe": {"exec": {"command": ["true"]}},
    "lifecycle": HOOK,
}
EVERYTHING: dict[str, Any] = {
    "name": "ledger",
    "kind": "statefulSet",
    "image": "registry.example/fluent-bit:5.1.0",
    "portKind": "NodePort",
    "minReplicas": 2,
    "maxReplicas": 6,
    "scaleUpType": "Pods",
    "scaleUpValue": 2,
    "scaleUpPeriodSeconds": 30,
    "scaleDownType": "Percent",
    "scaleDownValue": 50,
    "scaleDownPeriodSeconds": 300,
    "utilizationCPUAverage": 70,
    "utilizationMemoryAverage": 80,
    "labels": {"team": "shop"},
    "annotations": {"linkerd.io/inject": "enabled"},
    "affinity": {"key": "disk", "operator": "In", "values": ["ssd"]},
    "tolerations": [{"key": "logs", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}],
    "topologySpreadConstraints": [CONSTRAINT],
    "terminationGracePeriodSeconds": 90,
    "lifecycle": {"preStop": {"sleep": {"seconds": 20}}},
    "storageClass": "fast",
    "pvcRetentionPolicy": {"whenScaled": "Delete", "whenDeleted": "Retain"},
    "serviceAccount": "s3-writer",
    "kubernetesSecretName": "vault-made",
    "secretVolumeMounts": [{"secretName": "client-tls", "envMappings": [{"key": "tls.crt", "envVar": "CLIENT_CERT"}]}],
}


async def planned(world: World, folder: Path, sidecars: Sequence[dict[str, Any]] = (), **body: Any) -> tuple[Object, ...]:
    """The objects that a core instance makes of a pipeline which somebody has just made."""
    make_folder(folder / "state")
    server = Server("http://127.0.0.1:5000", world.token, transport=Wire(world))
    runtime, keep = FakeRuntime(Machine(http=[])), FileKeep(folder / "state")
    me = CoreInstance(server, Wanted("north"), runtime, keep, pace=Pace(turn=0.0), sidecars=True)
    try:
        await me.turn()
        assert me.identity is not None
        made = await pipeline(world, me.identity.id, **body)
        for sidecar in sidecars:
            await world.machine.ask("POST", f"/v1/pipelines/{made['id']}/sidecars", 201, json=sidecar)
        await me.turn()
        known = me.desired.known[made["id"]]
        assert known.problem is None
        assert known.deployment is not None
        return plan(SETTINGS, known.deployment, OWNER).objects
    finally:
        await me.close()


async def test_all_that_the_api_takes_for_kubernetes_stands_in_the_objects(world: World, tmp_path: Path) -> None:
    made = await planned(world, tmp_path, [SIDECAR], **EVERYTHING)
    for found in made:
        kubernetes_validate.validate(found, "1.37", strict=True)
    by_kind = {found["kind"]: found for found in made}
    assert sorted(by_kind) == ["ConfigMap", "HorizontalPodAutoscaler", "Service", "StatefulSet"]

    workload = by_kind["StatefulSet"]
    assert workload["metadata"]["labels"]["team"] == "shop"
    [claim] = workload["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["storageClassName"] == "fast"
    assert claim["spec"]["resources"]["requests"]["storage"] == "256Mi"  # the usual profile's
    assert workload["spec"]["persistentVolumeClaimRetentionPolicy"] == EVERYTHING["pvcRetentionPolicy"]

    template = workload["spec"]["template"]
    assert template["metadata"]["annotations"]["linkerd.io/inject"] == "enabled"
    pod = template["spec"]
    assert pod["serviceAccountName"] == "s3-writer"
    assert pod["automountServiceAccountToken"] is False
    assert pod["terminationGracePeriodSeconds"] == 90
    assert pod["tolerations"] == EVERYTHING["tolerations"]
    assert pod["topologySpreadConstraints"] == [{**CONSTRAINT, "labelSelector": {"matchLabels": {"a": "b"}}}]
    [term] = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term == {"matchExpressions": [EVERYTHING["affinity"]]}

    main, sidecar = pod["containers"]
    assert main["image"] == "registry.example/fluent-bit:5.1.0"
    assert main["resources"] == {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}}
    assert main["lifecycle"] == EVERYTHING["lifecycle"]
    assert main["envFrom"] == [{"secretRef": {"name": "vault-made"}}]
    assert {"name": "CLIENT_CERT", "value": "/nectary/secrets/client-tls/tls.crt"} in main["env"]
    mounts = {mount["mountPath"]: mount for mount in main["volumeMounts"]}
    volume = next(one for one in pod["volumes"] if one["name"] == mounts["/nectary/secrets/client-tls"]["name"])
    assert volume["secret"]["secretName"] == "client-tls"
    said = {name: value for name, value in SIDECAR.items() if name != "volumes"}
    assert {name: sidecar[name] for name in said} == said
    assert [one for one in pod["volumes"] if one in SIDECAR["volumes"]] == SIDECAR["volumes"]

    scaler = by_kind["HorizontalPodAutoscaler"]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 6)
    assert scaler["behavior"]["scaleUp"]["policies"] == [{"type": "Pods", "value": 2, "periodSeconds": 30}]
    assert scaler["behavior"]["scaleDown"]["policies"] == [{"type": "Percent", "value": 50, "periodSeconds": 300}]
    targets = {one["resource"]["name"]: one["resource"]["target"]["averageUtilization"] for one in scaler["metrics"]}
    assert targets == {"cpu": 70, "memory": 80}
    assert by_kind["Service"]["spec"]["type"] == "NodePort"
    assert by_kind["Service"]["metadata"]["name"] == "ledger-tcp24224"


async def test_what_was_said_of_kubernetes_is_shown_and_can_be_taken_back(world: World, tmp_path: Path) -> None:
    core_instance = await world.machine.ask("POST", "/v1/aggregators", 201, json={})
    made = await pipeline(world, core_instance["id"], **EVERYTHING)
    names = ("annotations", "serviceAccount", "kubernetesSecretName", "secretVolumeMounts")
    shown = await one(world.machine, made["id"])
    assert {name: shown[name] for name in names} == {name: EVERYTHING[name] for name in names}
    path = f"/v1/aggregator_pipelines/{made['id']}"
    nothing = {"annotations": {}, "serviceAccount": "", "kubernetesSecretName": "", "secretVolumeMounts": []}
    await world.machine.ask("PATCH", path, 200, json=nothing)
    shown = await one(world.machine, made["id"])
    assert {name: shown[name] for name in names} == nothing
    wrongs: list[dict[str, Any]] = [{"serviceAccount": "A b"}, {"kubernetesSecretName": "../x"}, {"secretVolumeMounts": [{}]}]
    for wrong in wrongs:
        await world.machine.ask("PATCH", path, 422, json=wrong)
