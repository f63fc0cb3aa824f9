"""Somebody with a certificate who tries what a recipe should forbid."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.fleet_rig.certificates import context

PATIENCE_S = 10.0


class Talker:
    """`with Talker(port, certs, "T-1") as one: one.publish(…)`. Connected once, never again."""

    def __init__(
        self, port: int, certs: Path, name: str, *, client_id: str = "", v5: bool = True
    ) -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        self.connected = threading.Event()
        self.gone = threading.Event()
        self.refused = ""
        self._changed = threading.Condition()
        self._codes: dict[int, Any] = {}
        self._v5 = v5
        version = MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id or name or "nobody",
            protocol=version,
            reconnect_on_failure=False,
        )
        self._client.tls_set_context(context(certs, name))
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = lambda *_: self._end()
        self._client.on_publish = lambda _c, _u, mid, code, _p: self._code(mid, code)
        self._client.on_subscribe = lambda _c, _u, mid, codes, _p: self._code(mid, codes[0])
        self._client.on_message = self._on_message
        self._port = port

    def __enter__(self) -> Self:
        try:
            self._client.connect("localhost", self._port, keepalive=30)
        except OSError as error:
            self.refused = str(error)
            self._end()
            return self
        self._client.loop_start()
        self.settle(lambda: self.connected.is_set() or self.gone.is_set())
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes = b"{}", *, retained: bool = False) -> str:
        """`taken`, `refused` or `hung up`."""
        mid = self._client.publish(topic, payload, qos=1, retain=retained).mid
        return self._answer(mid)

    def subscribe(self, topic: str) -> str:
        """The same for a subscription."""
        _, mid = self._client.subscribe(topic, qos=1)
        assert mid is not None
        return self._answer(mid)

    def settle(self, reached: Any, timeout_s: float = PATIENCE_S) -> bool:
        """Wait until something is true."""
        with self._changed:
            return bool(self._changed.wait_for(reached, timeout_s))

    def topics(self) -> list[str]:
        return [topic for topic, _, _ in self.heard]

    def _answer(self, mid: int) -> str:
        self.settle(lambda: mid in self._codes or self.gone.is_set())
        if mid not in self._codes:
            return "hung up" if self.gone.is_set() else "unanswered"
        return "refused" if self._codes[mid].is_failure else "taken"

    def _code(self, mid: int, code: Any) -> None:
        with self._changed:
            self._codes[mid] = code
            self._changed.notify_all()

    def _end(self) -> None:
        with self._changed:
            self.gone.set()
            self._changed.notify_all()

    def _on_connect(self, _c: Client, _u: object, _f: object, code: Any, _p: object) -> None:
        if code.is_failure:
            self.refused = str(code)
            return
        with self._changed:
            self.connected.set()
            self._changed.notify_all()

    def _on_message(self, _client: Client, _userdata: object, message: Any) -> None:
        with self._changed:
            self.heard.append((message.topic, bytes(message.payload), bool(message.retain)))
            self._changed.notify_all()
