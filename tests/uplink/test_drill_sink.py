"""The sink of a drill: nothing leaves by it, nothing but marked records enters it."""

from __future__ import annotations

import ast
import asyncio
from dataclasses import replace
from pathlib import Path

import agent.uplink.drill as sink_file
from agent.core.drill import SINK
from agent.core.drill.report import key_of
from agent.core.money.delivery import Answer
from agent.core.money.journal import Record
from agent.core.money.transaction import Payload
from agent.uplink.drill import DrillSink
from tests.core.why.cases import record, transaction

PAYLOAD = Payload(content_type="a/b", body=b"bytes")
MARKED = record(t=transaction(key=key_of(1, 1), uplink=SINK))


async def nothing() -> None:
    """The commit before the first byte."""


def post(sink: DrillSink, one: Record) -> Answer:
    return asyncio.run(sink.post(one, PAYLOAD, 1, nothing)).answer


def test_while_it_is_down_nothing_arrives_and_nothing_is_committed() -> None:
    """No attempt counts as sent."""

    async def never() -> None:
        raise AssertionError("nothing may be committed")

    sink = DrillSink()
    reply = asyncio.run(sink.post(MARKED, PAYLOAD, 1, never))
    assert (reply.answer, reply.cause) == (Answer.NOT_SENT, "network.host_unreachable")
    assert asyncio.run(sink.query(MARKED)).answer is Answer.NOT_SENT
    assert (sink.arrived, sink.tried) == ([], 1)


def test_what_arrives_is_kept_in_order_and_can_be_asked_about() -> None:
    """Key and bytes, each time it comes."""
    sink = DrillSink()
    sink.up = True
    assert asyncio.run(sink.query(MARKED)).answer is Answer.NOT_FOUND
    assert post(sink, MARKED) is Answer.POSTED
    assert post(sink, MARKED) is Answer.POSTED
    assert sink.arrived == [(MARKED.key, b"bytes")] * 2
    assert asyncio.run(sink.query(MARKED)).answer is Answer.POSTED


def test_a_real_payment_is_never_taken_for_posted() -> None:
    """Without the mark in key and uplink it is refused, also when the sink is up."""
    sink = DrillSink()
    sink.up = True
    for t in (
        transaction(key="k-1", uplink=SINK),
        transaction(key=key_of(1, 1), uplink="host"),
        transaction(),
    ):
        assert post(sink, replace(MARKED, transaction=t)) is Answer.MISMATCH
    assert sink.arrived == []


def test_it_has_no_way_out() -> None:
    """Its file imports nothing that could open a connection."""
    tree = ast.parse(Path(sink_file.__file__).read_text("utf-8"))
    named = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    named |= {
        one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names
    }
    assert not {
        name for name in named if name.startswith(("socket", "ssl", "agent.link", "agent.http"))
    }
