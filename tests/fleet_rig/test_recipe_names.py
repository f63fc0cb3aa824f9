"""The recipes ask only for what the contract has: topics, fields, users, files.

Telegraf, Grafana, EMQX and Kafka themselves are not run here.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from agent.wire import mqtt
from tests.fleet_rig.certificates import FLEET

SCHEMAS = mqtt.schemas()
#: Made from fields by the recipe for Telegraf.
DERIVED = {("state", "online"): "state", ("event", "open"): "active"}


def known(kind: str, field: str) -> bool:
    """Whether a message of this kind may carry that field."""
    schema = SCHEMAS[kind]
    patterns = schema.get("patternProperties", {})
    return (
        field in schema["properties"]
        or any(re.search(pattern, field) for pattern in patterns)
        or schema["additionalProperties"] is not False
    )


def toml(name: str) -> dict[str, Any]:
    return tomllib.loads((FLEET / name).read_text("utf-8"))


def users() -> dict[str, list[str]]:
    """Who may read what, by mosquitto's acl."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in (FLEET / "mosquitto" / "acl").read_text("utf-8").splitlines():
        words = line.split()
        if words[:1] == ["user"]:
            name = words[1]
        elif words[:2] == ["topic", "read"]:
            found.setdefault(name, []).append(words[2])
    return found


def covered(topic: str, by: str) -> bool:
    return topic == by or (by.endswith("/#") and topic.startswith(by[:-1]))


def inputs() -> list[tuple[str, dict[str, Any]]]:
    names = ("telegraf/telegraf.conf", "kafka/telegraf-kafka.conf")
    return [(name, each) for name in names for each in toml(name)["inputs"]["mqtt_consumer"]]


@pytest.mark.parametrize(
    ("name", "each"), inputs(), ids=lambda v: "" if isinstance(v, str) else v["client_id"]
)
def test_telegraf_reads_topics_and_fields_that_exist(name: str, each: dict[str, Any]) -> None:
    """Topics of the contract, fields of that kind, and a user of the acl who may read them."""
    acl = users()
    client = each["client_id"]
    assert each["tls_cert"].endswith(f"/{client}.pem")
    assert each["qos"] == 1
    assert each["persistent_session"] is True
    for topic in each["topics"]:
        kind = topic.split("/")[4]
        assert kind in SCHEMAS, f"{name}: {topic}"
        assert any(covered(topic, by) for by in acl[client]), f"{client} may not read {topic}"
        wanted = [*each.get("json_string_fields", []), *each.get("tag_keys", [])]
        wanted += [each[key] for key in ("json_time_key", "json_query") if key in each]
        assert all(known(kind, field) for field in wanted), wanted
        levels = topic.count("/")
        assert any(p["topic"].count("/") == levels for p in each["topic_parsing"]), topic


def test_what_telegraf_derives_comes_from_fields() -> None:
    """The fields made for Prometheus are made of fields of the contract."""
    made = {
        (one["namepass"][0], mapping["dest"]): mapping["field"]
        for one in toml("telegraf/telegraf.conf")["processors"]["enum"]
        for mapping in one["mapping"]
    }
    assert made == DERIVED
    assert all(known(kind, field) for (kind, _), field in made.items())


def test_kafka_is_keyed_by_terminal() -> None:
    """One topic per kind, and all of a terminal in one partition."""
    out = toml("kafka/telegraf-kafka.conf")["outputs"]["kafka"][0]
    assert out["routing_tag"] == "device_id"
    assert out["topic_suffix"] == {"method": "measurement", "separator": "."}
    text = (FLEET / "kafka" / "telegraf-kafka.conf").read_text("utf-8")
    assert set(re.findall(r"--topic pos\.([a-z]+)", text)) == set(SCHEMAS)


def test_the_dashboard_asks_for_fields_of_the_contract() -> None:
    """Every series in it is a kind and a field, or one of the two that Telegraf derives."""
    board = json.loads((FLEET / "grafana" / "fleet.json").read_text("utf-8"))
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    queries.append(board["templating"]["list"][1]["query"]["query"])
    series = {
        found for query in queries for found in re.findall(rf"\b({'|'.join(SCHEMAS)})_(\w+)", query)
    }
    assert len(series) >= 7
    for kind, field in series:
        assert (kind, field) in DERIVED or known(kind, field), f"{kind}_{field}"
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    labels = {"tenant", "device_id", "code", "component", "severity"}
    for query in queries:
        assert set(re.findall(r"[{,]\s*(\w+)=", query)) <= labels, query
        assert set(re.findall(r"by \((\w+)\)", query)) <= labels, query


def rules() -> list[str]:
    text = (FLEET / "emqx" / "rules.sql").read_text("utf-8")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return [rule for rule in text.split(";") if rule.strip()]


@pytest.mark.parametrize(
    "rule", rules(), ids=lambda rule: rule.rsplit("/", 1)[-1].split('"')[0][:20]
)
def test_emqx_rules_name_fields_of_the_contract(rule: str) -> None:
    """Each rule reads one kind, and only fields it has."""
    (topic,) = re.findall(r'FROM "([^"]+)"', rule)
    kind = topic.split("/")[4]
    assert topic.startswith("pos/1/+/+/")
    assert kind in SCHEMAS
    fields = re.findall(r"payload\.(\w+)", rule)
    assert fields
    assert all(known(kind, field) for field in fields), fields


def test_every_broker_grants_the_same_topics() -> None:
    """mosquitto, RabbitMQ and EMQX allow a terminal every kind it sends, up and down."""
    acl = (FLEET / "mosquitto" / "acl").read_text("utf-8")
    emqx = (FLEET / "emqx" / "acl.conf").read_text("utf-8")
    rabbit = (FLEET / "rabbitmq" / "terminal.sh").read_text("utf-8")
    for kind in SCHEMAS:
        tail = "res/+" if kind == "res" else kind
        assert f"pattern write pos/1/acme/%u/{tail}\n" in acl
        assert f'pos/1/acme/${{username}}/{tail}"' in emqx
        assert re.search(rf"[(|]{kind}\b", rabbit), kind
    for tail in ("cmd/+", "desired"):
        assert f"pattern read pos/1/acme/%u/{tail}\n" in acl
        assert f'pos/1/acme/${{username}}/{tail}"' in emqx


def test_definitions_of_rabbitmq_hold_no_password() -> None:
    """Nobody logs in by password: users of the recipe have none."""
    definitions = json.loads((FLEET / "rabbitmq" / "definitions.json").read_text("utf-8"))
    assert all(user["password_hash"] == "" for user in definitions["users"])
    assert Path(FLEET / "rabbitmq" / "enabled_plugins").read_text("ascii") == "[rabbitmq_mqtt].\n"
