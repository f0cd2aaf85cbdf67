"""What Fluent Bit versions know: the shipped data, look-ups, and learning from a binary."""

import json
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nectary.fluentbit import learn, schema
from nectary.fluentbit.schema import InvalidSchemaError, UnknownVersionError
from tests.harness import fluent_bit


def test_the_shipped_version_knows_its_plugins_by_name_alias_and_url_in_any_case() -> None:
    known = schema.load("5.1.1")
    names = [("input", "Tail"), ("output", "elasticsearch"), ("input", "tcp://0.0.0.0:9999"), ("processor", "grep")]
    found = [plugin.name for kind, name in names if (plugin := known.plugin(kind, name)) is not None]
    assert found == ["tail", "es", "tcp", "grep"]
    assert known.plugin("input", "grep") is None
    assert known.kinds_of("grep") == ["filter"]
    assert known.is_private("input", "emitter")


def test_a_plugin_takes_its_own_options_those_of_the_core_and_those_of_its_groups() -> None:
    http = schema.load().plugin("output", "http")
    assert http is not None
    origins = {name: rule.origin for name in ("URI", "workers", "net.keepalive", "oauth2.scope") if (rule := http.rule(name))}
    assert origins == {"URI": "plugin", "workers": "core", "net.keepalive": "net", "oauth2.scope": "oauth2"}
    assert http.rule("nope") is None


def test_only_http_listeners_take_http_server_options() -> None:
    known = schema.load()
    http, tcp = known.plugin("input", "http"), known.plugin("input", "tcp")
    assert http is not None
    assert tcp is not None
    assert http.option("http_server.workers") is not None
    assert tcp.option("http_server.workers") is None


def test_a_prefix_takes_any_longer_name_but_not_itself() -> None:
    kafka = schema.load().plugin("output", "kafka")
    assert kafka is not None
    assert kafka.option("rdkafka.log.connection.close") is not None
    assert kafka.option("rdkafka.") is None


def test_names_that_the_listing_prints_and_the_core_refuses_are_not_options() -> None:
    output, source = schema.load().plugin("output", "http"), schema.load().plugin("input", "tcp")
    assert output is not None
    assert source is not None
    assert output.option("tls.verify_client_cert") is None
    assert source.option("tls.proxy.ca_file") is None


def test_the_vendors_own_plugins_are_only_in_the_product_schema() -> None:
    assert schema.load().plugin("input", "http_loader") is None
    assert schema.load(product=True).plugin("input", "http_loader") is not None
    assert schema.load(product=True).product


def test_an_unknown_version_names_the_known_ones() -> None:
    with pytest.raises(UnknownVersionError, match=r'no schema for Fluent Bit "1\.2\.3"; known: .*5\.1\.1'):
        schema.load("1.2.3")


def test_the_nearest_version_is_the_newest_that_is_not_newer() -> None:
    known = ("3.2.1", "4.0.0", "5.1.1")
    asked = ["4.0.0", "4.2", "v5.0.9-debug", "9.0.0", "2.0.0", "latest", ""]
    assert [schema.nearest(version, known) for version in asked] == [
        *("4.0.0", "4.0.0", "4.0.0", "5.1.1", "3.2.1", "5.1.1", "5.1.1"),
    ]


def listing(*plugins: dict[str, object], version: str = "5.1.1") -> str:
    about = {"version": version, "schema_version": "1", "os": "linux"}
    return json.dumps(
        {"fluent-bit": about, "customs": [], "inputs": list(plugins), "processors": [], "filters": [], "outputs": []}
    )


def option(name: str, type: str = "string", default: str | None = None) -> dict[str, object]:
    return {"name": name, "description": "", "type": type, "default": default}


def test_a_listing_is_learned_with_new_plugins_options_and_core_options() -> None:
    core = [option("tag"), option("alias"), option("brand_new_core", "boolean")]
    learned = learn.from_listing(
        listing(
            {
                "type": "input",
                "name": "dummy",
                "properties": {"global_options": core, "options": [option("dummy"), option("newer", "size")]},
            },
            {"type": "input", "name": "invented", "properties": {"global_options": core, "options": [option("x", "integer")]}},
            version="9.9.9",
        )
    )
    assert learned.version == "9.9.9"
    dummy, invented = learned.plugin("input", "dummy"), learned.plugin("input", "invented")
    assert dummy is not None
    assert invented is not None
    assert [dummy.option(name) is not None for name in ("newer", "brand_new_core", "rate", "rate_gate")] == [
        True,
        True,
        False,
        False,
    ]
    assert invented.option("X") is not None
    assert learned.plugin("input", "tail") is None


def test_what_was_learned_can_be_kept_as_text_and_read_again() -> None:
    text = listing({"type": "input", "name": "dummy", "properties": {"options": [option("dummy")]}})
    assert schema.parse(learn.as_text(learn.listing_to_data(text))) == learn.from_listing(text)


@pytest.mark.parametrize(
    "text", ["", "no JSON", "[]", "{}", '{"fluent-bit": {}}', '{"fluent-bit": {"version": "1"}, "inputs": 5}', "[" * 100_000]
)
def test_text_that_is_no_listing_is_refused(text: str) -> None:
    with pytest.raises(InvalidSchemaError):
        learn.from_listing(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_no_json_makes_reading_a_schema_raise_anything_else(value: object) -> None:
    with pytest.raises(InvalidSchemaError):
        schema.parse(json.dumps(value))


def test_a_real_binary_teaches_the_same_options_as_the_shipped_data() -> None:
    binary = fluent_bit.required()
    done = subprocess.run([binary, "-J"], capture_output=True, text=True, timeout=30, check=True)
    learned = learn.from_listing(done.stdout)
    if learned.version != "5.1.1":
        pytest.skip(f"SKIPPED: the fluent-bit here is {learned.version}; the shipped data is of 5.1.1")
    shipped = schema.load("5.1.1")
    for kind, plugins in learned.plugins.items():
        for name, plugin in plugins.items():
            known = shipped.plugins[kind][name]
            # Some Kafka options depend on a build switch.
            extra = {each for each in set(known.rules) - set(plugin.rules) if name != "kafka"}
            assert (kind, name, set(plugin.rules) - set(known.rules), extra) == (kind, name, set(), set())
