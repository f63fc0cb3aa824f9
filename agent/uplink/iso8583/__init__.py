"""ISO 8583 over TCP or TLS: frames, codec, binding, judging. Loaded only where configured."""

from __future__ import annotations

from collections.abc import Callable

from agent.config import Iso8583Uplink as Config
from agent.core.money.field39 import Table
from agent.link.tls import client_context
from agent.uplink.iso8583.codec import Codec, Dialect
from agent.uplink.iso8583.echo import Echo, echo_of
from agent.uplink.iso8583.frame import Begins, Layout, Length, TpduCheck
from agent.uplink.iso8583.intake import Intake
from agent.uplink.iso8583.line import Dial, Line, Place
from agent.uplink.iso8583.timed import Timed
from agent.uplink.iso8583.uplink import Iso8583Uplink, Queries, Repeat, Terms


def terms_of(config: Config, timed: Timed | None = None) -> Terms:
    """How to speak with this host."""
    return Terms(
        layout=Layout(
            length=Length(config.length),
            tpdu=bytes.fromhex(config.tpdu),
            tpdu_check=TpduCheck(config.tpdu_check),
            header=bytes.fromhex(config.header),
            begins=Begins(config.payload_begins),
        ),
        codec=Codec(Dialect(config.dialect), config.fields),
        table=Table(config.codes, config.query_codes),
        bound=tuple(config.bound),
        repeat=Repeat(config.repeat),
        timed=timed,
    )


def build(
    config: Config, dial: Dial, queries: Queries, timed: Timed | None = None
) -> Iso8583Uplink:
    """The uplink of one profile; `timed` hears what answers say about the time."""
    terms = terms_of(config, timed)
    place = Place(
        host=config.host,
        port=config.port,
        tls=client_context(config.ca_file, config.cert_file, config.key_file)
        if config.tls
        else None,
        length=terms.layout.length,
        connect_timeout_s=config.connect_timeout_s,
        answer_timeout_s=config.answer_timeout_s,
        idle_s=config.idle_s,
    )
    echo = echo_of(config, terms)

    def line(stray: Callable[[bytes], None]) -> Line:
        return Line(place, dial, stray)

    return Iso8583Uplink(terms, queries, line, echo)


def intake(config: Config) -> Intake:
    """The check of what is handed over for one profile."""
    return Intake(terms_of(config), tuple(config.protected_fields))


__all__ = ["Echo", "Intake", "Iso8583Uplink", "build", "intake", "terms_of"]
