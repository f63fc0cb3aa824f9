"""The tables about vendor firmware: where its hooks lie and which components they speak for."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from agent.config.section import Directory, Seconds, Section

CONDITION = r"^[a-z0-9_]+(\.[a-z0-9_]+)+$"
COMPONENT = r"^[a-z][a-z0-9_]{0,39}$"


class Hooks(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[hooks]: how the vendor's programs are run. A directory that is not there: none are."""

    directory: Directory = "/etc/posagent/hooks.d"
    deadline_s: Annotated[float, Meta(ge=0.05, le=300)] = 5.0
    """A hook that takes longer is killed with everything it started."""
    output_max_bytes: Annotated[int, Meta(ge=256, le=16_777_216)] = 65_536
    """A hook that prints more, in all or in one line of a stream, is killed."""
    rest_s: Seconds = 30.0
    """Rest after three failures in a row; doubles with each further one."""
    rest_max_s: Seconds = 900.0
    about_period_s: Annotated[float, Meta(ge=0, le=86_400)] = 0.0
    """How often the hooks `identity` and `inventory` are asked; 0: never."""
    events: tuple[Annotated[str, Meta(pattern=CONDITION, max_length=64)], ...] = ()
    """Conditions whose hook `event.CODE` is called when they begin, show, clear or end."""
    wrapped_keys: Annotated[str, Meta(max_length=200)] = ""
    """The payload keys as the firmware keeps them; the hook `key.unwrap` opens them. Empty: the
    agent keeps its own, as [store] says."""
    actions_socket: Annotated[str, Meta(pattern=r"^/", max_length=100)] = (
        "/run/posagent-actions/actions.sock"
    )
    """Where posagent-actions listens, which runs the action hooks."""


class HookComponent(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[hook]]: one component the vendor's firmware speaks for."""

    component: Annotated[str, Meta(pattern=COMPONENT)]
    door: Literal["pull", "stream", "push"] = "pull"
    """`probe.COMPONENT` is run; `stream.NAME` keeps running; POST /v1/readings."""
    owns: bool = True
    """false: only adds what the agent's own watcher of this component does not know."""
    stream: Annotated[str, Meta(pattern=r"^([a-z][a-z0-9_]{0,39})?$")] = ""
    """NAME of the stream; empty: that of the component."""
    period_s: Seconds = 30.0
    """Between two runs of `probe.COMPONENT`."""
    stale_s: Seconds = 300.0
    """How long the last word of a stream or a push counts; then: unknown."""
    push: tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...] = ()
    """Who may push it: user names or uids that hold the role report; empty: root."""
