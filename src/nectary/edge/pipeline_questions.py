"""What may be asked of pipelines in the query of a request: which of them, in which format, with what beside them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Query

from nectary.errors import Invalid
from nectary.fluentbit.document import Format
from nectary.resources import config_texts
from nectary.resources.pipeline_views import EVERYTHING, Asked, Wanted

_FORMATS = ["classic", "yaml", "json", "ini"]
_KINDS = ("deployment", "daemonSet", "statefulSet")
_Format = Annotated[
    str | None, Query(description="Format to show configurations in; `ini` is `classic`.", json_schema_extra={"enum": _FORMATS})
]
_Include = Annotated[
    list[str],
    Query(
        description="What to show beside: `ports`, `files`, `secrets`; repeated, or joined by commas.",
        json_schema_extra={"items": {"type": "string", "enum": sorted(EVERYTHING)}},
    ),
]
_Rendered = Annotated[bool, Query(description="Put config sections into the configuration.")]


def config_format(config_format: _Format = None) -> Format | None:
    return config_texts.format_named(config_format, "invalid pipeline config format") if config_format else None


InFormat = Annotated[Format | None, Depends(config_format)]


def _asked(format: InFormat, include: _Include = [], render_with_config_sections: _Rendered = False) -> Asked:  # noqa: B006
    named = frozenset(name.strip() for joined in include for name in joined.split(",") if name.strip())
    if unknown := named - EVERYTHING:
        raise Invalid("invalid include", f"{min(unknown)[:60]!r} is none of {', '.join(sorted(EVERYTHING))}")
    return Asked(format=format, rendered=render_with_config_sections, include=named)


def _wanted(
    name: Annotated[str | None, Query(description="Those with exactly this name.")] = None,
    kind: Annotated[str | None, Query(description="Those of this kind.", json_schema_extra={"enum": list(_KINDS)})] = None,
    tags_query: Annotated[str | None, Query(description="Tags joined by ` AND `; all must be there.")] = None,
    exclude_internal: Annotated[bool, Query(description="Leave out the system's own.")] = False,
) -> Wanted:
    if kind and kind not in _KINDS:
        raise Invalid("invalid pipeline kind", f"{kind[:60]!r} is none of {', '.join(_KINDS)}")
    tags: Sequence[str] = [tag.strip() for tag in (tags_query or "").split(" AND ") if tag.strip()]
    return Wanted(name=name, kind=kind, tags=tuple(tags), exclude_internal=exclude_internal)


Shown = Annotated[Asked, Depends(_asked)]
Filter = Annotated[Wanted, Depends(_wanted)]
