"""`posagent provision …`: a terminal set up at the factory, and one found on other hardware.

Decides the order of the steps and how they are told: no questions, one line of JSON with `--json`,
exit codes a production line can go by. Works without a network and without a daemon. What a step
does is in `provision_steps` and `provision_machine`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agent.cli.provision_steps import Done, Ground
from agent.cli.session import Exit, Session, exit_code
from agent.errors import AgentError
from agent.settings.problems import ConfigError

#: Everything is done that can be done before the certificate comes.
WAITING = 9


def provision(session: Session) -> int:
    """Carry out one order."""
    try:
        return _ordered(session, Ground(session))
    except ConfigError as error:
        if not session.json:
            raise
        said = [problem.sentence(session.words.lang) for problem in error.problems]
        _line({"ok": False, "code": "config.bad", "problems": said, "exit": int(Exit.USAGE)})
        return Exit.USAGE
    except AgentError as error:
        if not session.json:
            raise
        code = int(exit_code(error))
        _line({"ok": False, "code": error.code, "what": error.what, "hint": error.hint,
               "exit": code})  # fmt: skip
        return code


def _ordered(session: Session, ground: Ground) -> int:
    from agent.cli import provision_machine as machine
    from agent.cli import provision_steps as steps

    args = session.args
    match args.order:
        case "status":
            return _status(session, machine.status(ground))
        case "identity":
            done = steps.identity(
                ground, args.device_id, args.serial, args.prefix, args.tenant, args.site
            )
        case "profile":
            done = steps.profile(ground, args.file)
        case "keys":
            done = steps.fleet_keys(ground, args.file)
        case "request":
            done = steps.request(ground, args.out)
        case "install":
            done = steps.install(ground, args.certificate, args.ca)
        case "adopt":
            done = machine.adopt(ground, fresh=args.fresh, ids=_ids(args))
        case "seal":
            done = machine.seal(ground)
        case _:
            return _all(session, ground)
    return _told(session, ground, [done], Exit.OK)


def _ids(args: Any) -> dict[str, str]:
    names = ("device_id", "serial", "prefix", "tenant", "site")
    return {name: getattr(args, name) for name in names}


def _all(session: Session, ground: Ground) -> int:
    """Every step whose material is there; run again it goes on, or changes nothing."""
    from agent.cli import provision_steps as steps

    args, folder = session.args, session.args.stick
    done: list[Done] = []

    def found(name: str) -> Path | None:
        file: Path = folder / name
        return file if file.exists() else None

    if (file := found("profile.toml")) is not None:
        done.append(steps.profile(ground, file))
    done.append(steps.identity(ground, **_ids(args)))
    if (file := found("fleet-keys.toml")) is not None:
        done.append(steps.fleet_keys(ground, file))
    if not ground.config.telemetry.key_file:
        done.append(Done(step="install", state="not_asked", facts={}))
        return _told(session, ground, done, Exit.OK)
    device_id = ground.config.agent.device_id
    if (file := found(f"{device_id}.pem")) is not None:
        done.append(steps.install(ground, file, found("ca.pem")))
        return _told(session, ground, done, Exit.OK)
    done.append(steps.request(ground, folder / f"{device_id}.csr"))
    if done[-1].facts["in_force"]:
        return _told(session, ground, done, Exit.OK)
    done.append(Done(step="install", state="waiting", facts={"file": f"{device_id}.pem"}))
    return _told(session, ground, done, WAITING)


def _told(session: Session, ground: Ground, done: list[Done], code: int) -> int:
    changed = any(one.state not in ("unchanged", "not_asked", "waiting") for one in done)
    if session.json:
        agent = ground.config.agent
        _line({
            "ok": True, "device_id": agent.device_id, "tenant": agent.tenant, "changed": changed,
            "steps": {one.step: one.plain for one in done}, "exit": int(code),
        })  # fmt: skip
        return code
    t = session.words
    for one in done:
        if "csr" in one.facts:
            print(one.facts["csr"], end="")
            continue
        step, state = t(f"provision.step.{one.step}"), t(f"provision.state.{one.state}")
        session.screen.line(f"{step}: {state}")
        _details(session, one)
    if changed and done[-1].step not in ("seal", "adopt", "request"):
        session.screen.text(t("provision.restart"))
    if code == WAITING:
        session.screen.text(t("provision.bring", file=done[-1].facts["file"]))
    return code


def _details(session: Session, one: Done) -> None:
    t = session.words
    for name in ("device_id", "file", "csr_file", "aside"):
        if name in one.facts:
            session.screen.line(f"  {one.facts[name]}", "dim")
    for file in one.facts.get("removed", ()):
        session.screen.line("  " + t("provision.removed", file=file), "dim")
    for left in one.facts.get("left", ()):
        session.screen.text("  " + t("provision.left", what=left))
    if one.step == "adopt" and one.state == "made":
        session.screen.text(t(f"provision.adopted.{one.facts['decided']}"))


def _status(session: Session, told: dict[str, Any]) -> int:
    code = Exit.OK if told["complete"] else Exit.FOUND
    if session.json:
        _line({"ok": True, **told, "exit": int(code)})
        return code
    t = session.words
    session.screen.line(told["device_id"] or t("provision.nameless"), "bold")
    for step, state in told["steps"].items():
        session.screen.line(
            f"{t(f'provision.step.{step}')}{t('provision.colon')}{t(f'provision.state.{state}')}"
        )
    word = t(f"provision.hardware.{told['hardware']}")
    session.screen.line(f"{t('provision.step.hardware')}{t('provision.colon')}{word}")
    return code


def _line(told: dict[str, Any]) -> None:
    """One line: a production line collects one for each terminal."""
    print(json.dumps(told, ensure_ascii=False))
