"""What a core instance in a cluster is told by its environment: the variables of the original's containers, so that those work.

The same names after NECTARY_ win over the original's.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from nectary.core.runtimes.cluster_settings import Object, Settings

T = TypeVar("T")
_TRUE = {"1", "t", "true", "yes", "on"}
_FALSE = {"", "0", "f", "false", "no", "off"}
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


class WrongVariable(ValueError):
    """A variable's text is not what it should be; the text says what would be."""


def settings(environ: Mapping[str, str], core_instance: str, namespace: str) -> Settings:
    """Raises WrongVariable.

    Read are ANNOTATIONS and SERVICE_ANNOTATIONS (`a=b,c=d`), TOLERATIONS (`key=Operator:value:Effect:seconds,...`), HTTP_PROXY,
    HTTPS_PROXY, NO_PROXY (for pipelines), SKIP_SERVICE_CREATION, EXTERNAL_TRAFFIC_LOCAL, CLUSTER_LOGGING, FLUENT_BIT_IMAGE,
    HOTRELOAD_IMAGE, IMAGE_PULL_SECRETS (`a,b`), PIPELINE_READER_ACCOUNT, PIPELINE_LISTEN.
    """

    def read(name: str, parse: Callable[[str], T], usual: T) -> T:
        text = environ.get(f"NECTARY_{name}") or environ.get(name) or ""
        try:
            return parse(text.strip()) if text.strip() else usual
        except ValueError as error:
            raise WrongVariable(f"{name}={text!r}: {error}") from None

    plain = Settings(core_instance, namespace)
    proxies = {name: read(name, str, "") for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")}
    return Settings(
        core_instance,
        namespace,
        image=read("FLUENT_BIT_IMAGE", str, plain.image),
        reload_image=read("HOTRELOAD_IMAGE", str, plain.reload_image),
        pull_secrets=read("IMAGE_PULL_SECRETS", lambda text: tuple(_parts(text)), ()),
        annotations=read("ANNOTATIONS", _pairs, {}),
        service_annotations=read("SERVICE_ANNOTATIONS", _pairs, {}),
        tolerations=read("TOLERATIONS", lambda text: tuple(map(_toleration, _parts(text))), ()),
        proxies={name: value for name, value in proxies.items() if value},
        skip_services=read("SKIP_SERVICE_CREATION", _truth, False),
        local_traffic=read("EXTERNAL_TRAFFIC_LOCAL", _truth, False),
        node_logs=read("CLUSTER_LOGGING", _truth, False),
        listen=read("PIPELINE_LISTEN", str, plain.listen),
        reader=read("PIPELINE_READER_ACCOUNT", str, ""),
    )


def _parts(text: str) -> Iterator[str]:
    return (part.strip() for part in text.split(",") if part.strip())


def _pairs(text: str) -> dict[str, str]:
    found = {}
    for part in _parts(text):
        key, sign, value = part.partition("=")
        if not sign or not key:
            raise ValueError("write it as a=b,c=d")
        found[key] = value
    return found


def _toleration(text: str) -> Object:
    key, _, rest = text.partition("=")
    operator, value, effect, seconds, *more = [*rest.split(":"), "", "", "", ""][:5]
    if more != [""] or operator not in ("Equal", "Exists") or (effect and effect not in _EFFECTS):
        raise ValueError("write tolerations as key=Equal:value:NoSchedule or key=Exists::NoExecute:60, separated by commas")
    made: dict[str, Any] = {"operator": operator}
    made |= {name: given for name, given in (("key", key), ("value", value), ("effect", effect)) if given}
    return made | ({"tolerationSeconds": int(seconds)} if seconds else {})


def _truth(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError("write true or false")
