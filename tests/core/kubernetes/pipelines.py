"""Pipelines of every shape, as `assemble` hands them to a runtime, for the tests of what becomes of them in a cluster."""

from collections.abc import Mapping

from nectary.core.runtimes import Deployment, File, Port, Resources, Scaling, Sidecar
from nectary.core.runtimes.kubernetes.settings import Owner, Settings

OWNER = Owner("nectary-north", "11111111-2222-3333-4444-555555555555")
SETTINGS = Settings(
    core_instance="north",
    namespace="telemetry",
    labels={"calyptia_aggregator_id": "a0000000-0000-0000-0000-000000000001", "calyptia_project_id": "b"},
    reader="nectary-core-reader",
)

SERVICE = """\
service:
  http_server: on
  http_listen: 127.0.0.1
  http_port: ${NECTARY_HTTP_PORT}
  hot_reload: on
  health_check: on
  storage.path: ${NECTARY_STORAGE}
"""
HTTP_TO_HTTP = f"""\
{SERVICE}\
pipeline:
  inputs:
    - name: http
      port: 9880
  outputs:
    - name: http
      match: '*'
      host: collector.example
      header: Authorization ${{NECTARY_SECRET_TOKEN}}
      tls.ca_file: ${{NECTARY_FILES}}/ca.pem
"""
SYSLOG = f"""\
{SERVICE}\
pipeline:
  inputs:
    - name: syslog
      mode: udp
      port: 514
    - name: forward
      port: 2020
  outputs:
    - name: stdout
      match: '*'
"""
CONTAINER_LOGS = f"""\
{SERVICE}\
pipeline:
  inputs:
    - name: tail
      tag: kube.*
      path: /var/log/containers/*_shop_*.log
  filters:
    - name: kubernetes
      match: kube.*
  outputs:
    - name: stdout
      match: kube.*
"""

SMALL = Deployment(pipeline_id="c0000000-0000-0000-0000-00000000000a", name="small", version="v1", config=HTTP_TO_HTTP)

FULL = Deployment(
    pipeline_id="c0000000-0000-0000-0000-00000000000b",
    name="checkout",
    version="v2",
    config=HTTP_TO_HTTP,
    strategy="hotReload",
    image="registry.example/fluent-bit:5.1.0",
    files=(
        File("parsers", b"[PARSER]\n    Name a\n    Format json\n"),
        File("geo.db", b"\xff\x00"),
        File("ca.pem", b"sealed", secret=True),
    ),
    environment={"NECTARY_SECRET_TOKEN": "s3cret", "NECTARY_TOKEN": "project-token"},
    ports=(Port("p1", "tcp", 9880, 9880, "LoadBalancer"), Port("p2", "tcp", 30020, 0, "NodePort")),
    resources=Resources("100m", "1", "64Mi", "256Mi", "1Gi"),
    scaling=Scaling(1, 2, 6, 70, 80, ("Pods", 2, 60), ("Percent", 50, 0)),
    sidecars=(
        Sidecar(
            "proxy",
            {
                "name": "proxy",
                "image": "registry.example/proxy:1",
                "imagePullPolicy": "IfNotPresent",
                "args": ["--quiet"],
                "env": [{"name": "A", "value": "b"}],
                "ports": [{"containerPort": 15000, "protocol": "TCP"}],
                "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
                "volumes": [{"name": "scratch", "emptyDir": {}}],
                "livenessProbe": {"tcpSocket": {"port": 15000}, "periodSeconds": 10},
            },
        ),
    ),
    scheduling={
        "labels": {"team": "shop", "app.kubernetes.io/managed-by": "somebody"},
        "annotations": {"linkerd.io/inject": "enabled"},
        "affinity": {"key": "disk", "operator": "In", "values": ["ssd"]},
        "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "logs", "effect": "NoSchedule"}],
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": None,
            }
        ],
        "terminationGracePeriodSeconds": 60,
        "lifecycle": {"preStop": {"sleep": {"seconds": 12}}},
        "kubernetesSecretName": "vault-made",
        "secretVolumeMounts": [{"secretName": "client-tls", "envMappings": [{"key": "tls.crt", "envVar": "CLIENT_CERT"}]}],
    },
)

STATEFUL = Deployment(
    pipeline_id="c0000000-0000-0000-0000-00000000000c",
    name="ledger",
    version="v3",
    config=SYSLOG,
    kind="statefulSet",
    ports=(Port("p3", "udp", 514, 514, "ClusterIP"), Port("p4", "tcp", 2020, 2020)),
    resources=Resources(volume_size="5Gi"),
    scaling=Scaling(replicas=3),
    scheduling={"storageClass": "fast", "pvcRetentionPolicy": {"whenScaled": "Delete", "whenDeleted": "Retain"}},
)

CLUSTER_LOGGING = Deployment(
    pipeline_id="c0000000-0000-0000-0000-00000000000d",
    name="cluster-logging-1f2e",
    version="v4",
    config=CONTAINER_LOGS,
    kind="daemonSet",
    internal=True,
)

ALL: Mapping[str, Deployment] = {
    "small": SMALL,
    "full": FULL,
    "stateful": STATEFUL,
    "cluster-logging": CLUSTER_LOGGING,
}
