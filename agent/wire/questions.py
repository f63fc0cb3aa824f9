"""The questions about more than one payment, in the local API: one row of `OPERATIONS`."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from agent.wire.operation import EVERYBODY_PAYING, Operation
from agent.wire.verdict import VerdictOut


class QuestionArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked."""

    question: Literal["late", "settlement", "preauth", "slip"]
    """`late`: what should have arrived and has not; `settlement`: batches and the acquirer's list;
    `preauth`: pre-authorisations nobody completed; `slip`: why the pre-settlement slip is not
    made."""


QUESTIONS: tuple[Operation, ...] = (
    Operation(
        name="why_question",
        method="GET",
        path="/v1/explain/{question}",
        roles=EVERYBODY_PAYING,
        summary="One of the questions about more than one payment, with those it is about.",
        arguments=QuestionArgs,
        result=VerdictOut,
    ),
)
