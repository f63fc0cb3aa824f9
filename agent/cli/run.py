"""`posagent run`: load the configuration, say where it came from, hand over to `agent.main`."""

from __future__ import annotations

import sys

from msgspec.structs import replace

from agent import settings
from agent.cli.session import Session
from agent.errors import AgentError


def run(session: Session) -> int:
    """The daemon, until it is told to stop; its exit code."""
    loaded = settings.load(session.config_file)
    if not loaded.files:
        print(session.words("config.none", path=loaded.looked_for), file=sys.stderr)
    for warning in loaded.warnings:
        said = warning[1 if session.words.lang == "zh" else 0]
        print(session.words("config.warning", what=said), file=sys.stderr)
    config = loaded.config
    if state_dir := getattr(session.args, "state_dir", None):
        config = replace(config, agent=replace(config.agent, state_dir=str(state_dir.absolute())))
    from agent.main import run as run_daemon

    session.speak(config.agent.language)

    def tell(error: AgentError) -> None:
        from agent.cli.reason import advice, reason

        if session.words.lang == "zh":  # English has been said
            hint = advice(session.words, error.code, error.hint)
            said = f"{reason(session.words, error.what)}（{hint}）"
            print(f"posagent: {said}", file=sys.stderr)

    return run_daemon(config, loaded.looked_for if loaded.files else None, tell)
