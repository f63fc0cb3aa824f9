"""ThingsBoard's published rules as a judge: what its device API would do with each message.

Written from the reference pages of the MQTT device API and the behaviour of the server's parser,
not from our adapter: values are stored here as the server would store them (texts that are digits
become numbers, nulls are skipped), and what would end a session or be dropped is a complaint.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

MAX_PAYLOAD = 65_536  #: NETTY_MAX_PAYLOAD_SIZE
QUEUE = 100  #: MQTT_MSG_QUEUE_SIZE_PER_DEVICE_LIMIT
LONG = 2**63
SEVERITIES = {"CRITICAL", "MAJOR", "MINOR", "WARNING", "INDETERMINATE"}

SPELLINGS = {
    "v1": {
        "telemetry": "v1/devices/me/telemetry",
        "attributes": "v1/devices/me/attributes",
        "ask": "v1/devices/me/attributes/request/",
        "told": "v1/devices/me/attributes/response/",
        "call": "v1/devices/me/rpc/request/",
        "answer": "v1/devices/me/rpc/response/",
    },
    "v2": {
        "telemetry": "v2/t",
        "attributes": "v2/a",
        "ask": "v2/a/req/",
        "told": "v2/a/res/",
        "call": "v2/r/req/",
        "answer": "v2/r/res/",
    },
}


class _Number(str):
    """A JSON number as it is spelled: the server looks at the spelling."""

    __slots__ = ()


class RefusedError(ValueError):
    """The server's parser would end the session."""


def parsed(payload: bytes) -> Any:
    """JSON with numbers left as they are spelled."""
    try:
        return json.loads(
            payload.decode("utf-8"),
            parse_float=_Number,
            parse_int=_Number,
            parse_constant=lambda word: (_ for _ in ()).throw(RefusedError(f"{word} is no JSON")),
        )
    except UnicodeDecodeError as error:
        raise RefusedError("not UTF-8") from error
    except json.JSONDecodeError as error:
        raise RefusedError(f"not JSON: {error}") from error


def number(spelled: str) -> int | float:
    """As the parser decides between whole and broken."""
    if "." in spelled:
        return float(spelled)
    if not re.fullmatch(r"-?[0-9]+", spelled) or not -LONG <= int(spelled) < LONG:
        raise RefusedError(f"{spelled}: Big integer values are not supported")
    return int(spelled)


def parsable(text: str) -> bool:
    """NumberUtils.isParsable of commons-lang."""
    if not text or text.endswith("."):
        return False
    digits = text.removeprefix("-")
    return (
        bool(digits) and digits.count(".") <= 1 and all(c == "." or c.isdecimal() for c in digits)
    )


def plain(value: Any) -> Any:
    """Inside a JSON value numbers are what JSON says."""
    match value:
        case _Number():
            return json.loads(value)
        case dict():
            return {name: plain(each) for name, each in value.items()}
        case list():
            return [plain(each) for each in value]
    return value


def stored(value: Any) -> Any:
    """What is in the database afterwards. Raises RefusedError."""
    match value:
        case _Number():
            return number(value)
        case str() if parsable(value):
            try:
                return number(value)
            except RefusedError:
                return str(value)
        case str() | bool():
            return value
        case dict() | list():
            return plain(value)
    raise RefusedError(f"{value!r}: can't parse value")


@dataclass
class ThingsBoardRules:
    """The device as the server knows it, and what it had to complain of."""

    spelling: str = "v2"
    now_ms: int = 0
    complaints: list[str] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    series: dict[str, list[tuple[int | None, Any]]] = field(default_factory=dict)
    alarms: dict[str, str] = field(default_factory=dict)  #: by the rule chain of our documentation
    alarm_history: list[tuple[str, bool]] = field(default_factory=list)
    answers: dict[int, list[Any]] = field(default_factory=dict)
    asked: list[tuple[int, Any]] = field(default_factory=list)
    open_calls: set[int] = field(default_factory=set)
    arrays: list[int] = field(default_factory=list)  #: lengths

    def latest(self, key: str) -> Any:
        """The newest value by its time, as a dashboard shows it."""
        values = self.series.get(key, [])
        # Of the same time the one that came last: key and time are the row's name.
        return max(reversed(values), key=lambda each: each[0] or 0)[1] if values else None

    def take(self, topic: str, payload: bytes, *, qos: int = 1, retained: bool = False) -> None:
        """A PUBLISH of the device."""
        names = SPELLINGS[self.spelling]
        if qos > 1:
            self._complain(topic, "QoS 2 is not supported")
        if retained:
            self._complain(topic, "retained means nothing here")
        if len(payload) > MAX_PAYLOAD:
            self._complain(topic, f"{len(payload)} bytes")
            return
        try:
            if topic == names["telemetry"]:
                self._telemetry(parsed(payload))
            elif topic == names["attributes"]:
                told = parsed(payload)
                if not isinstance(told, dict):
                    raise RefusedError("attributes are an object")
                self.attributes |= self._values(told)
            elif topic.startswith(names["ask"]):
                self.asked.append((self._request(topic, names["ask"]), parsed(payload)))
            elif topic.startswith(names["answer"]):
                self._answer(self._request(topic, names["answer"]), parsed(payload))
            else:
                self._complain(topic, "no such topic: acknowledged and lost")
        except RefusedError as refused:
            self._complain(topic, f"session closed: {refused}")

    def _request(self, topic: str, start: str) -> int:
        number = topic[len(start) :]
        if not re.fullmatch(r"[0-9]{1,10}", number) or int(number) >= 2**31:
            raise RefusedError("the request id is a whole number of 32 bits")
        return int(number)

    def _answer(self, call: int, told: Any) -> None:
        if call not in self.open_calls:
            self._complain(f"answer {call}", "nobody asked")
        self.answers.setdefault(call, []).append(told)

    def _telemetry(self, told: Any) -> None:
        if isinstance(told, list):
            self.arrays.append(len(told))
            if not all(isinstance(each, dict) for each in told):
                raise RefusedError("an array is of objects")
            for each in told:
                self._point(each)
        elif isinstance(told, dict):
            self._point(told)
        else:
            raise RefusedError("telemetry is an object or an array")

    def _point(self, told: dict[str, Any]) -> None:
        at: int | None = None
        if "ts" in told and "values" in told:
            if not isinstance(told["ts"], _Number) or not isinstance(told["values"], dict):
                raise RefusedError("ts is a number and values an object")
            at = int(number(told["ts"]))
            if not 1_000_000_000_000 <= at <= (self.now_ms or at) + 86_400_000:
                self._complain("telemetry", f"ts {at} is not milliseconds of these days")
            told = told["values"]
        values = self._values(told)
        if not values:
            self._complain("telemetry", "nothing in it")
        for key, value in values.items():
            self.series.setdefault(key, []).append((at, value))
        self._rule_chain(values)

    def _values(self, told: dict[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in told.items():
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,254}", key):
                self._complain(key, "no key for an expression, or longer than 255")
            if value is None:
                self._complain(key, "null is skipped: the old value would stay")
                continue
            values[key] = stored(value)
        return values

    def _rule_chain(self, values: dict[str, Any]) -> None:
        """Two nodes: create alarm, clear alarm; type and severity by pattern."""
        code = values.get("alarm_code")
        if code is None:
            return
        severity = values.get("alarm_severity")
        if severity not in SEVERITIES:
            self._complain("create alarm", f"severity {severity!r}")
        active = values.get("alarm_active")
        if not isinstance(active, bool):
            self._complain("filter", "alarm_active is no boolean")
        self.alarm_history.append((code, bool(active)))
        if active:
            self.alarms[code] = severity
        else:
            self.alarms.pop(code, None)

    def _complain(self, where: str, what: str) -> None:
        self.complaints.append(f"{where}: {what}")
