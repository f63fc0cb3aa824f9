"""One attempt to talk to the broker, over paho-mqtt in a thread of its own.

Thin on purpose: connects, publishes, tells what it heard, ends. It never retries, never queues
and keeps nothing: when to connect and what to send is `core.fleet.session` and the outbox, driven
by `telemetry.conversation`, the only caller. A `Connection` is used once.

Why a fresh client per attempt: paho re-sends everything it still holds on a reconnect, past the
broker's Receive Maximum, and some servers then hang up for ever. Why all writing happens in our
thread (the no-op `on_socket_register_write`): otherwise paho writes from the publishing thread
too, and two writers may interleave half packets. Why nothing is ever joined: DNS and TLS block,
and stopping must not wait for them; the thread is a daemon and finds itself dropped.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import partial
from typing import Any, cast

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from agent.core.fleet.dialect import Dialect
from agent.core.fleet.session import Connected, Origin
from agent.errors import AgentError, RemoteError
from agent.link.contact import Contact
from agent.link.fault import DialError
from agent.link.tls import expires_at
from agent.telemetry.attempt import (
    Attempt,
    Closed,
    Delivered,
    Greeted,
    Heard,
    Opened,
    Pinged,
    Ponged,
    Puback,
    Subscribed,
)
from agent.telemetry.client import (
    FLOOD,
    LAYERS,
    MAX_PACKET_BYTES,
    PROTOCOL,
    RECEIVE_MAXIMUM,
    CheckedClient,
    Room,
    TrustingContext,
    note_trouble,
    opened,
    remember,
    word_of,
    write_only_in_the_loop,
)

log = logging.getLogger(__name__)

TCP_CONNECT_TIMEOUT_S = 20.0
SESSION_EXPIRY_S = 3_600
#: Attempts that still hang in DNS or TLS although given up; more would only pile up threads.
MAX_HANGING = 3


class Connection:
    """One attempt. `start` returns at once; everything after that is heard."""

    def __init__(self, attempt: Attempt, hear: Callable[[Connection, Heard], None]) -> None:
        self._attempt = attempt
        self._hear = hear
        self._loop = asyncio.get_running_loop()
        self._client: CheckedClient | None = None
        self._secured: ssl.SSLSocket | None = None
        self._over = False
        self._began_s = 0.0
        self._dropped = False
        self._way = ["", ""]  #: channel and interface it was opened over
        self._told_of = False
        self._room = Room()
        self._asking = False  #: a SUBSCRIBE waits for its answer
        self._thread = threading.Thread(target=self._run, name="telemetry-mqtt", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether its thread still runs; a dropped one may hang in DNS for minutes."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin connecting."""
        self._thread.start()

    def publish(self, topic: str, payload: bytes, *, retained: bool) -> int:
        """Send with QoS 1; returns the packet id, 0 if there is no connection to send on.

        Only while connected and inside the window: paho would queue whatever is more.
        """
        client = self._client
        if client is None or self._over or self._dropped or not client.is_connected():
            return 0
        sent = client.publish(topic, payload, qos=1, retain=retained)
        return sent.mid if sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else 0

    def subscribe(self, filters: Sequence[str], *, again: bool) -> None:
        """Ask for these with QoS 1; `Subscribed` follows.

        `again`: we have what was retained there (MQTT 5 lets us say so, a wish costs kilobytes).
        """
        client = self._client
        if client is None or self._over or self._dropped or not filters:
            return
        self._asking = True  # before it is sent: the answer is heard in the other thread
        options: Any = 1
        if self._attempt.dialect is Dialect.V5:
            always, new = (
                SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE,
                SubscribeOptions.RETAIN_SEND_IF_NEW_SUB,
            )
            # As published: else a command that is retained shows it only to who subscribes later.
            options = SubscribeOptions(
                qos=1, retainAsPublished=True, retainHandling=new if again else always
            )
        client.subscribe([(each, options) for each in filters])

    def unsubscribe(self, topic: str) -> None:
        """Hear no more of it."""
        client = self._client
        if client is not None and not (self._over or self._dropped):
            client.unsubscribe(topic)

    def taken(self, delivered: Delivered) -> None:
        """A delivery has left the queue: the broker may forget it."""
        self._room.empty(len(delivered.payload))
        client = self._client
        if client is not None and not (self._over or self._dropped) and delivered.qos:
            client.ack(delivered.mid, delivered.qos)

    def keep_alive(self, seconds: int) -> None:
        """Ping after so much silence from now on; never less often than CONNECT promised."""
        client = self._client
        if client is not None:
            client._keepalive = seconds  # noqa: SLF001  (paho offers no way to change it)

    def disconnect(self) -> None:
        """Say goodbye (the Will is discarded); `Closed` follows."""
        client = self._client
        if client is not None and not self._over:
            client.disconnect()

    def drop(self) -> None:
        """Tear it down without a word, from whatever it is doing; nothing more is heard."""
        self._dropped = True
        client = self._client
        sock = (client.socket() if client is not None else None) or self._secured
        if sock is not None:
            try:
                # Not sock.shutdown(): on a TLS socket that takes the TLS away from under the
                # reading thread. The plain shutdown wakes its select with an end of file.
                socket.socket.shutdown(cast("socket.socket", sock), socket.SHUT_RDWR)
            except OSError as error:
                log.debug("event=drop_on_closed_socket reason=%r", str(error))

    # In the thread

    def _run(self) -> None:
        self._began_s = self._loop.time()
        try:
            client = self._connect()
            self._note("")
            self._tell(Greeted())
            # A select of at most a third of the keepalive: paho pings only when it wakes, and
            # the broker gives up after one and a half. publish() wakes it through a socket pair.
            while not (self._over or self._dropped):
                if client.loop(timeout=max(1.0, min(60.0, client.keepalive / 3))):
                    break
                if client.violation is not None:
                    break
            word, reason = client.violation or ("broker.closed", "connection lost")
            self._end(0, Origin.SERVER, word, reason)
        except AgentError as error:
            self._end(0, Origin.NETWORK, "broker.configuration", str(error))
        except (OSError, ValueError) as error:
            word = word_of(error)
            if word in LAYERS and not self._told_of:
                self._note(LAYERS[word], str(error))
            self._end(0, Origin.NETWORK, word, f"{type(error).__name__}: {error}")
        except Exception as error:  # thread top: a bug in here must not silence telemetry for ever
            log.exception("event=transport_failed")
            self._end(0, Origin.NETWORK, "broker.internal", type(error).__name__)
        finally:
            # The client holds our methods and we hold it: without this its sockets stay open
            # until the garbage collector comes by.
            last, self._client = self._client, None
            self._attempt.meter.ended(self._secured or (None if last is None else last.socket()))
            if self._secured is not None:
                self._secured.close()  # paho leaves it open when the handshake fails

    def _reached(self) -> socket.socket:
        """The connection opened over the channel in use, on the loop; called in the thread."""
        reach, endpoint = self._attempt.reach, self._attempt.endpoint
        assert reach is not None

        async def opened() -> tuple[socket.socket, str, str]:
            return await reach(endpoint.host, endpoint.port, TCP_CONNECT_TIMEOUT_S)

        opening = asyncio.run_coroutine_threadsafe(opened(), self._loop)
        try:
            sock, *self._way = opening.result(TCP_CONNECT_TIMEOUT_S + 5.0)
        except DialError as error:
            self._told_of = True  # by whoever dials
            if error.layer == "dns":
                raise socket.gaierror(socket.EAI_AGAIN, error.reason) from error
            raise ConnectionError(error.reason) from error
        except CancelledError:
            raise ConnectionError("the agent stops") from None
        sock.settimeout(TCP_CONNECT_TIMEOUT_S)
        return sock

    def _note(self, layer: str, reason: str = "") -> None:
        """What became of the attempt, for whoever watches the network."""
        told, endpoint = self._attempt.told, self._attempt.endpoint
        if told is None:
            return
        channel, interface = self._way
        contact = Contact(
            purpose="mqtt",
            host=endpoint.host,
            port=endpoint.port,
            channel=channel,
            interface=interface,
            layer=layer,
            reason=reason[:200],
            tls=endpoint.tls,
            expires_at=None if layer or self._secured is None else expires_at(self._secured),
        )
        with suppress(RuntimeError):  # a thread left behind by a stop
            self._loop.call_soon_threadsafe(told, contact)

    def _connect(self) -> CheckedClient:
        attempt = self._attempt
        five = attempt.dialect is Dialect.V5
        client = CheckedClient(
            CallbackAPIVersion.VERSION2,
            client_id=attempt.client_id,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            clean_session=None if five else False,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.pinged = lambda: self._tell(Pinged())
        client.ponged = lambda: self._tell(Ponged())
        client.reached = None if attempt.reach is None else self._reached
        client.suppress_exceptions = True
        client.connect_timeout = TCP_CONNECT_TIMEOUT_S
        client.on_log = note_trouble
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = lambda _c, _u, mid, reason, _p: self._tell(Puback(mid, reason.value))
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_socket_open = partial(opened, attempt.meter)
        client.on_socket_close = partial(remember, attempt.trust)
        client.on_socket_register_write = write_only_in_the_loop
        user, password = attempt.login()
        if user:
            client.username_pw_set(user, password)
        if attempt.endpoint.tls and attempt.trust is not None:
            context = TrustingContext(attempt.trust, partial(setattr, self, "_secured"))
            client.tls_set_context(cast("ssl.SSLContext", context))
        self._client = client
        options: dict[str, Any] = {}
        will, will_properties = attempt.will, None
        if five:
            connect = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            connect.SessionExpiryInterval = SESSION_EXPIRY_S
            connect.MaximumPacketSize = MAX_PACKET_BYTES
            connect.ReceiveMaximum = RECEIVE_MAXIMUM
            options = {"clean_start": False, "properties": connect}
            if will is not None:
                will_properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
                will_properties.WillDelayInterval = will.delay_s
        if will is not None:
            client.will_set(
                will.topic, will.payload, 1, retain=will.retained, properties=will_properties
            )
        # CONNECT is only written by loop(): an attempt dropped meanwhile never shows itself.
        client.connect(attempt.endpoint.host, attempt.endpoint.port, attempt.keepalive_s, **options)
        if attempt.ping_s:
            client._keepalive = attempt.ping_s  # noqa: SLF001  (CONNECT is packed by now)
        return client

    def _on_connect(
        self,
        client: Client,
        _userdata: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._end(reason.value, Origin.REFUSED, "broker.refused", str(reason))
            return
        granted = Connected(
            receive_maximum=getattr(properties, "ReceiveMaximum", 0),
            server_keepalive_s=getattr(properties, "ServerKeepAlive", 0),
            max_packet_bytes=getattr(properties, "MaximumPacketSize", 0),
            session_present=bool(flags.session_present),
        )
        # paho before 2.2 ignores what the server asks for; 2.2 forgets what we ask of ourselves.
        asked = [self._attempt.keepalive_s, self._attempt.ping_s, granted.server_keepalive_s]
        self.keep_alive(min(each for each in asked if each))
        self._tell(Opened(granted))
        self._tell_time(properties)

    def _tell_time(self, properties: Properties | None) -> None:
        """What the broker says about the time, where it is asked for."""
        wanted = self._attempt.time
        if wanted is None:
            return
        took_s = self._loop.time() - self._began_s
        for name, value in getattr(properties, "UserProperty", ()):
            if name == wanted.property:
                with suppress(RuntimeError):  # a thread left behind by a stop
                    self._loop.call_soon_threadsafe(
                        wanted.told, self._attempt.endpoint.host, value, took_s
                    )

    def _on_message(self, client: Client, _userdata: object, message: MQTTMessage) -> None:
        assert isinstance(client, CheckedClient)
        try:
            topic = message.topic
        except UnicodeDecodeError:
            client.violate(PROTOCOL, "a topic that is not UTF-8")
            return
        payload = bytes(message.payload)
        if client.violation is not None:
            return
        if not self._room.fill(len(payload)):
            client.violate(FLOOD, "more was sent than may wait")
            return
        self._tell(Delivered(message.mid, message.qos, topic, payload, bool(message.retain)))

    def _on_subscribe(
        self,
        _client: Client,
        _userdata: object,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: object,
    ) -> None:
        if self._asking:  # once: whatever else is answered was never asked
            self._asking = False
            self._tell(Subscribed(tuple(reason.value for reason in reasons)))

    def _on_disconnect(
        self,
        client: Client,
        _userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: object,
    ) -> None:
        assert isinstance(client, CheckedClient)
        text = client.trouble or str(reason)
        if client.violation is not None:
            self._end(0, Origin.SERVER, *client.violation)
        elif flags.is_disconnect_packet_from_server:
            self._end(reason.value, Origin.SERVER, "broker.closed", str(reason))
        elif "SSL" in text:
            # A TLS 1.3 server judges our certificate only after the handshake has succeeded.
            self._end(0, Origin.NETWORK, "broker.certificate", text)
        elif reason.getName() == "Keep alive timeout":
            self._end(0, Origin.NETWORK, "broker.no_answer", text)
        elif reason.getName() == "Protocol error":
            self._end(reason.value, Origin.SERVER, "broker.protocol", text)
        else:
            self._end(0, Origin.SERVER, "broker.closed", text)

    def _end(self, code: int, origin: Origin, word: str, reason: str) -> None:
        """Report the end, once."""
        if not self._over:
            self._over = True
            if word in ("broker.certificate", "broker.tls") and self._attempt.trust is not None:
                self._attempt.trust.forget()
            self._tell(Closed(code, origin, word, reason[:200]))

    def _tell(self, heard: Heard) -> None:
        try:
            self._loop.call_soon_threadsafe(self._hear, self, heard)
        except RuntimeError:
            # The loop is closed: this is a thread left behind by a stop.
            self._dropped = True


class Transport:
    """Starts connections, and refuses while too many given-up ones still hang."""

    def __init__(self) -> None:
        self._started: list[Connection] = []

    def connect(self, attempt: Attempt, hear: Callable[[Connection, Heard], None]) -> Connection:
        """A started connection. Raises RemoteError if the last ones are all still hanging."""
        self._started = [each for each in self._started if each.alive]
        if len(self._started) >= MAX_HANGING:
            raise RemoteError(
                "broker.hanging",
                f"{len(self._started)} attempts to reach {attempt.endpoint} still hang",
                "look at name resolution and the path to the broker",
            )
        connection = Connection(attempt, hear)
        self._started.append(connection)
        connection.start()
        return connection
