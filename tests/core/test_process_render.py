"""A configuration is fitted to one child, and says else what it said."""

import pytest

from nectary.core.runtimes.process import render
from nectary.fluentbit import yaml
from nectary.fluentbit.document import ConfigError, Kind

FULL = """\
service:
  grace: 9
  http_server: on
  http_port: ${NECTARY_HTTP_PORT}
  daemon: on
customs:
  - name: calyptia
    api_key: ${NECTARY_TOKEN}
pipeline:
  inputs:
    - name: http
      port: ${PORT}
      processors:
        logs:
          - name: content_modifier
            action: upsert
            key: a
            value: b
    - name: tail
      path: /var/log/x
    - name: forward
      shared_key: abc
    - name: syslog
      mode: udp
      listen: 127.0.0.1
    - name: tcp
      alias: lines
  filters:
    - name: modify
      match: '*'
      add: a b
  outputs:
    - name: http
      match_regex: '.*'
      host: 127.0.0.1
      port: 80
    - name: prometheus_exporter
      match: '*'
"""


class Ports:
    def __init__(self) -> None:
        self.last = 40000

    def take(self, protocol: str, configured: int) -> int:
        self.last += 1
        return self.last


def test_a_child_listens_on_ports_of_its_own() -> None:
    made = render.for_child(FULL, {"PORT": "9999"}, 3333, Ports().take)
    assert [(one.protocol, one.port, one.back, one.framing, one.address) for one in made.sockets] == [
        ("tcp", 9999, 40001, "http", "0.0.0.0"),
        ("tcp", 24224, 40002, "opaque", "0.0.0.0"),
        ("udp", 5140, 40003, "lines", "127.0.0.1"),
        ("tcp", 5170, 40004, "lines", "0.0.0.0"),
        ("tcp", 2021, 40005, "http", "0.0.0.0"),
    ]
    document = yaml.parse(made.text)
    http = document.plugins_of(Kind.INPUT)[0].section
    assert (http.get("port"), http.get("listen")) == ("40001", "127.0.0.1")
    exporter = document.plugins_of(Kind.OUTPUT)[1].section
    assert (exporter.get("port"), exporter.get("host")) == ("40005", "127.0.0.1")
    service = {prop.name: prop.value for prop in document.service}
    assert service["http_port"] == "3333"
    assert service["http_listen"] == "127.0.0.1"
    assert service["daemon"] == "off"
    assert made.grace == 9
    assert "content_modifier" in made.text
    assert "path: /var/log/x" in made.text


def test_a_rehearsal_takes_nothing_in_and_sends_nothing_out() -> None:
    document = yaml.parse(render.for_rehearsal(FULL, {"PORT": "9999"}, 3333, Ports().take).text)
    assert [plugin.name for plugin in document.plugins_of(Kind.INPUT)] == ["http", "forward", "syslog", "tcp"]
    assert document.plugins_of(Kind.CUSTOM) == ()
    assert [plugin.name for plugin in document.plugins_of(Kind.OUTPUT)] == ["http", "prometheus_exporter"]
    for plugin in document.plugins_of(Kind.OUTPUT):
        assert plugin.section.get("match") == "nectary-rehearsal"
        assert plugin.section.get("match_regex") is None
    assert [plugin.name for plugin in document.plugins_of(Kind.FILTER)] == ["modify"]


def test_routes_of_inputs_are_cut_for_a_rehearsal() -> None:
    text = """\
pipeline:
  inputs:
    - name: http
      routes:
        logs:
          - name: all
            condition:
              default: true
            to:
              outputs: [there]
  outputs:
    - name: stdout
      alias: there
"""
    made = render.for_rehearsal(text, {}, 3333, Ports().take).text
    assert "routes" not in made
    assert "match: nectary-rehearsal" in made


def test_a_pipeline_that_only_fetches_rehearses_with_a_dummy() -> None:
    text = "pipeline:\n  inputs:\n    - {name: tail, path: /x}\n  outputs:\n    - {name: stdout, match: '*'}\n"
    document = yaml.parse(render.for_rehearsal(text, {}, 3333, Ports().take).text)
    assert [plugin.name for plugin in document.plugins_of(Kind.INPUT)] == ["dummy"]
    assert {prop.name for prop in document.service} >= {"http_server", "http_port", "hot_reload"}


def test_the_same_ports_come_out_for_the_same_sockets() -> None:
    kept = {("tcp", 9999): 5001}
    made = render.for_child(FULL, {"PORT": "9999"}, 3333, lambda protocol, port: kept.get((protocol, port), 6000 + port))
    assert made.sockets[0].back == 5001
    assert made.sockets[1].back == 30224


def test_what_is_no_configuration_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError) as caught:
        render.for_child("pipeline: [", {}, 3333, Ports().take)
    assert "\n" not in render.refusal(caught.value)
