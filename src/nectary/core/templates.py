"""Puts a pipeline's secrets and files where its configuration names them: as references, so that no secret is in its text.

`{{ secrets.X }}` becomes a variable of the environment that only the pipeline's Fluent Bit has; `{{ files.X }}` a path below
the folder of its files. Fluent Bit puts variables in after it has read the text, so no value can end an option or begin a
section, whatever is in it. Two of its quirks are minded here:

* it looks for the first `}` from where it stands, even one before the `${` (flb_env_var_translate, src/flb_env.c): a value such
  as `{"a":1} {{ secrets.X }}` would lose its secret, so there the text around the secret goes into the variable as well;
* options of text are looked through for variables a second time (flb_config_map_set, src/flb_config_map.c), so that a secret
  which itself holds `${...}` would not arrive as it is. Such a secret is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from nectary.core.runtimes import FILES, File
from nectary.core.secrets import Unreadable
from nectary.fluentbit.document import Document, Group, Kind, ListNode, Node, Property, Scalar, Section, Variable
from nectary.fluentbit.variables import TEMPLATE, references, trapped

PREFIX = "NECTARY_SECRET_"
_VALUE = "NECTARY_VALUE_"
_PIECE = re.compile(rf"(\$\{{[^}}]*\}})|({TEMPLATE.pattern})")
# Sections whose values Fluent Bit looks through for variables; it takes those of others as they are written.
_LOOKED_THROUGH = frozenset({Kind.SERVICE, Kind.CUSTOM, Kind.INPUT, Kind.FILTER, Kind.OUTPUT, Kind.PARSER, Kind.UPSTREAM})


class Unassemblable(Exception):
    """A pipeline cannot run as it is: `reason` is one word for programs, the text says what is wrong and what would do."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass
class Filling:
    """One document being filled in. `environment` gathers what its Fluent Bit must have."""

    secrets: Mapping[str, bytes | Unreadable]
    files: Mapping[str, File | Unreadable]
    environment: dict[str, str] = field(default_factory=dict)

    def document(self, document: Document) -> Document:
        """The document with references in place of templates. Raises Unassemblable."""
        variables = tuple(one for one in document.variables if not self._taken_out(one))
        return replace(document, variables=variables, sections=tuple(self._section(one) for one in document.sections))

    def _taken_out(self, variable: Variable) -> bool:
        """A variable of the configuration's own that a template gives its value: the environment has it instead, since Fluent
        Bit takes the values of variables as they are written."""
        if not TEMPLATE.search(variable.value):
            return False
        text = TEMPLATE.sub(lambda match: self._plain(match[1], match[2], f"variable {variable.name}"), variable.value)
        self.environment[variable.name] = text
        return True

    def _plain(self, kind: str, name: str, place: str) -> str:
        if kind == "files":
            what = f"{place} has the path of file {name} in its value, where Fluent Bit puts no variables in"
            raise Unassemblable("FileMisplaced", f"{what}; name the file in the options that use it")
        return self._secret(name)

    def _section(self, section: Section) -> Section:
        open_ = section.kind in _LOOKED_THROUGH
        properties = tuple(self._property(section, prop, open_=open_) for prop in section.properties)
        groups = tuple(self._group(section, group, open_=open_) for group in section.groups)
        return section._replace(properties=properties, groups=groups)

    def _group(self, section: Section, group: Group, *, open_: bool) -> Group:
        return group._replace(properties=tuple(self._property(section, prop, open_=open_) for prop in group.properties))

    def _property(self, section: Section, prop: Property, *, open_: bool) -> Property:
        where = f"{section.kind} {section.get('name') or ''}".strip() + f", option {prop.key}"
        if prop.nested is None:
            return prop._replace(value=self.text(prop.value, where, open_=open_))
        # The options of a unit of processors are looked through, what is nested below them is not (flb_processor.c).
        depth = 3 if prop.name == "processors" and open_ else 0
        return prop._replace(nested=self._node(prop.nested, where, depth))

    def _node(self, node: Node, where: str, depth: int) -> Node:
        if isinstance(node, Scalar):
            text = self.text(node.text, where, open_=depth == 0)
            return node if text == node.text else node._replace(text=text, plain=False)
        if isinstance(node, ListNode):
            return node._replace(items=tuple(self._node(item, where, depth - 1) for item in node.items))
        return node._replace(pairs=tuple((key, self._node(value, where, depth - 1)) for key, value in node.pairs))

    def text(self, value: str, where: str, *, open_: bool = True) -> str:
        """One value with its templates replaced. Raises Unassemblable."""
        if "{{" not in value or not TEMPLATE.search(value):
            return value
        if not open_:
            what = f"{where} names a secret or file where Fluent Bit puts no variables in"
            raise Unassemblable("TemplateMisplaced", f"{what}; use an option of a plugin for it")
        plain = TEMPLATE.sub(lambda match: self._reference(match[1], match[2]), value)
        return plain if trapped(plain) < 0 else self._folded(value)

    def _reference(self, kind: str, name: str) -> str:
        if kind == "files":
            return self._path(name)
        self.environment[PREFIX + name] = self._secret(name)
        return "${" + PREFIX + name + "}"

    def _folded(self, value: str) -> str:
        """References and nothing else that has a `}`: the text between the configuration's own references goes into variables,
        together with the secrets in it."""
        parts: list[str] = []
        run: list[str] = []

        def close() -> None:
            text = "".join(run)
            run.clear()
            if text:
                name = f"{_VALUE}{sum(key.startswith(_VALUE) for key in self.environment)}"
                self.environment[name] = text
                parts.append("${" + name + "}")

        place = 0
        for piece in _PIECE.finditer(value):
            run.append(value[place : piece.start()])
            place = piece.end()
            if piece[1]:
                close()
                parts.append(piece[1])
            elif piece[3] == "files":
                close()
                parts.append(FILES)
                run.append(self._path(piece[4]).removeprefix(FILES))
            else:
                run.append(self._secret(piece[4]))
        run.append(value[place:])
        close()
        return "".join(parts)

    def _path(self, name: str) -> str:
        file = self.files.get(name)
        if file is None:
            raise Unassemblable("FileMissing", f"file {name} is not there; add it to the pipeline or its core instance")
        if isinstance(file, Unreadable):
            raise Unassemblable("FileUnreadable", str(file))
        return f"{FILES}/{name}"

    def _secret(self, name: str) -> str:
        value = self.secrets.get(name)
        if value is None:
            raise Unassemblable("SecretMissing", f"secret {name} is not there; add it to the pipeline or its core instance")
        if isinstance(value, Unreadable):
            raise Unassemblable("SecretUnreadable", str(value))
        if b"\0" in value:
            raise Unassemblable("SecretUnusable", f"secret {name} holds a zero byte, which no option can; use a file for it")
        text = value.decode("utf-8", "surrogateescape")
        if next(references(text), None) is not None:
            what = f"secret {name} holds a text like ${{NAME}}, which Fluent Bit would take for a variable"
            raise Unassemblable("SecretUnusable", f"{what}; use a file for it, or another value")
        return text
