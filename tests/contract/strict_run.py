"""Asks a running server, with valid credentials, for what the published contract describes, and tells where answers differ.

Run by test_vendor.py with the vendor's tool's own Python, never imported. Reads an order from standard input:
{spec, url, operations, headers, requests, examples}; prints {statuses, differences, faults, refusals} as JSON.

`operations` stand in the order they are asked in. `requests` has for each some that should succeed, [{places, query, body}];
their places, the values in its path by position, serve for what the tool makes up too; but a deletion, of which there is
nothing left to succeed, is asked for at places that the tool makes up.
"""

import json
import re
import sys
from collections import Counter, defaultdict
from typing import Any

import hypothesis  # this one and the next are not of our own environment
import jsonschema  # type: ignore[import-untyped,unused-ignore]
import requests  # type: ignore[import-untyped,unused-ignore]
import schemathesis  # type: ignore[import-not-found,unused-ignore]
from hypothesis import HealthCheck, Phase
from schemathesis.contrib import openapi  # type: ignore[import-not-found,unused-ignore]

openapi.formats.uuid.install()
_tool: Any = schemathesis  # the vendor's, of 2024; ours is newer, and has other names
_TIMEOUT = 30


class Run:
    """Findings of one run."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        self.statuses: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self.differences: dict[tuple[str, str], str] = {}
        self.faults: list[str] = []
        self.refusals: dict[str, str] = {}  # operation -> the first that it gave to a request that should succeed

    def walk(self) -> None:
        schema = _tool.from_path(
            self.order["spec"],
            base_url=self.order["url"],
            generation_config=_tool.GenerationConfig(with_security_parameters=False),
        )
        found = {one.definition.raw["operationId"]: one for one in (result.ok() for result in schema.get_all_operations())}
        for name in self.order["operations"]:
            self.operation(found[name])

    def operation(self, operation: Any) -> None:
        name = operation.definition.raw["operationId"]
        made = list(self.order["requests"][name])
        places = made[0]["places"]
        parameters = re.findall(r"{(\w+)}", operation.path)
        once = operation.method.upper() == "DELETE"

        @hypothesis.settings(
            max_examples=max(self.order["examples"], 1),
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @hypothesis.seed(1)
        @hypothesis.given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            given = made.pop(0) if made else None  # first requests that should succeed, then the tool's own
            if parameters and (given or not once):
                case.path_parameters = dict(zip(parameters, given["places"] if given else places, strict=True))
            if given:
                case.query = {**(case.query or {}), **given["query"]}
                if given["body"] is not None:
                    case.body, case.media_type = given["body"], "application/json"
            answer = self.judge(name, operation, case)
            if given and not answer.ok:
                self.refusals.setdefault(name, f"{answer.status_code} {answer.text[:200]}")

        ask()

    def judge(self, name: str, operation: Any, case: Any) -> Any:
        answer = case.call(headers=self.order["headers"], timeout=_TIMEOUT)
        self.statuses[name][answer.status_code] += 1
        if answer.status_code >= 500:
            self.faults.append(f"{name}: {answer.status_code} for {case.as_curl_command()[:600]}")
        if answer.ok:
            self.compare(name, operation, answer)
            if operation.definition.raw.get("security"):
                self.replay(name, case)
        return answer

    def compare(self, name: str, operation: Any, answer: Any) -> None:
        """Every way in which a 2xx differs from its schema, with the tool's own validator; not just the first."""
        documented = {str(status): said for status, said in operation.definition.raw["responses"].items()}
        said = documented.get(str(answer.status_code), documented.get("default"))
        if said is None:
            self.differences[name, str(answer.status_code)] = "this status is not documented"
            return
        scopes, schema = operation.schema.get_response_schema(said, operation.definition.scope)
        if not schema:
            return
        if "json" not in answer.headers.get("Content-Type", ""):
            kind = answer.headers.get("Content-Type", "none").partition(";")[0]
            if kind not in said.get("content", {}):
                self.differences[name, "Content-Type"] = kind
            return
        with operation.schema._validating_response(scopes) as resolver:
            checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
            validator = operation.schema.validator_cls(schema, resolver=resolver, format_checker=checker)
            for error in validator.iter_errors(answer.json()):
                path = [str(step) for step in error.absolute_path if not isinstance(step, int)]
                whole = answer.headers["Content-Type"].partition(";")[0]  # in differences.toml, the form of the body names it
                self.differences[name, ".".join(path) or whole] = error.message[:300]

    def replay(self, name: str, case: Any) -> None:
        for headers in ({}, {"Authorization": "Bearer SCHEMATHESIS-INVALID-VALUE"}, {"X-Project-Token": "INVALID"}):
            answer = case.call(headers=headers, timeout=_TIMEOUT)
            if answer.status_code != 401:
                self.faults.append(f"{name}: {answer.status_code} with {headers or 'no credentials'}")


def main() -> None:
    run = Run(json.load(sys.stdin))
    try:
        run.walk()
    except requests.RequestException as error:
        run.faults.append(f"the server did not answer: {error}")
    differences = [[operation, field, message] for (operation, field), message in sorted(run.differences.items())]
    told = {"statuses": run.statuses, "differences": differences, "faults": run.faults, "refusals": run.refusals}
    json.dump(told, sys.stdout)


main()
