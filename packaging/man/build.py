"""Man pages and shell completions, from the command line's own tree of arguments.

    python packaging/man/build.py --out DIR

writes DIR/man/man1/posagent.1, DIR/man/zh_CN/man1/posagent.1 and DIR/completions/{posagent.bash,
_posagent,posagent.fish}. Whatever the parser knows is in them and nothing else, so they cannot be
out of date. For the packages (packaging/debian) and for images (packaging/bundle, --man DIR/man).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from agent import __version__  # noqa: E402 - the checkout's own
from agent.cli import arguments  # noqa: E402
from agent.cli.texts import Language, Words  # noqa: E402

HEADINGS = {
    "en": ("NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS OF EVERY COMMAND", "EXIT STATUS",
           "FILES", "SEE ALSO"),
    "zh": ("名称", "概要", "描述", "命令", "各命令通用选项", "退出码", "文件", "另见"),
}  # fmt: skip
FILES = {
    "en": (
        ("/etc/posagent/posagent.toml", "the configuration; every key is explained in it"),
        (
            "/etc/posagent/force-removal",
            "a reason in it lets a removal go on while money is unsent",
        ),
        ("/var/lib/posagent", "journal, audit trail, keys"),
        ("/run/posagent/api.sock", "the local API"),
    ),
    "zh": (
        ("/etc/posagent/posagent.toml", "配置文件，每一项都有说明"),
        ("/etc/posagent/force-removal", "其中写明原因后，有未上送款项时也可卸载"),
        ("/var/lib/posagent", "账本、操作记录、密钥"),
        ("/run/posagent/api.sock", "本地接口"),
    ),
}
#: The demonstration is not in what is installed on terminals.
NOT_SHIPPED = frozenset({"demo", "sim", "conformance", "fleet"})


@dataclass(frozen=True, slots=True)
class Command:
    """One command and what can stand behind it."""

    words: tuple[str, ...]
    help: str
    parser: argparse.ArgumentParser
    below: tuple[Command, ...]


def tree(lang: Language) -> Command:
    """The whole command line in one language."""
    words = Words(lang)
    arguments.Parser.words = words
    parser = arguments._parser(words)  # noqa: SLF001 - the tree itself, which `parse` keeps
    return _command((), words("help.program"), parser)


def _command(words: tuple[str, ...], said: str, parser: argparse.ArgumentParser) -> Command:
    below: list[Command] = []
    for action in _subparsers(parser):
        texts = {one.dest: one.help or "" for one in action._choices_actions}  # noqa: SLF001
        below += [
            _command((*words, name), texts.get(name, ""), one)
            for name, one in action.choices.items()
            if name not in NOT_SHIPPED
        ]
    return Command(words, said, parser, tuple(below))


def _subparsers(
    parser: argparse.ArgumentParser,
) -> Iterator[argparse._SubParsersAction[argparse.ArgumentParser]]:
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to ask
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            yield action


def _own(command: Command, everywhere: frozenset[str]) -> list[argparse.Action]:
    return [
        action
        for action in command.parser._actions  # noqa: SLF001
        if not isinstance(action, argparse._SubParsersAction)  # noqa: SLF001
        and action.help != argparse.SUPPRESS
        and not everywhere & set(action.option_strings)
    ]


def _everywhere(top: Command) -> list[argparse.Action]:
    """The options every command takes."""
    own = [set(a.option_strings) for one in top.below for a in one.parser._actions]  # noqa: SLF001
    return [
        action
        for action in top.parser._actions  # noqa: SLF001
        if action.option_strings
        and sum(set(action.option_strings) == one for one in own) == len(top.below)
    ]


def _all(command: Command) -> Iterator[Command]:
    for one in command.below:
        yield one
        yield from _all(one)


def page(lang: Language, at: datetime) -> str:
    """The man page."""
    top, names = tree(lang), HEADINGS[lang]
    common = _everywhere(top)
    known = frozenset(option for action in common for option in action.option_strings)
    out = [f'.TH POSAGENT 1 "{at:%Y-%m-%d}" "posagent {__version__}" "posagent"']
    out += [f".SH {names[0]}", f"posagent \\- {_roff(top.help)}", f".SH {names[1]}"]
    out += [".B posagent", "\\fICOMMAND\\fR [\\fIOPTION\\fR]...", f".SH {names[2]}"]
    out += [_roff(top.help), f".SH {names[3]}"]
    for one in _all(top):
        out += [".TP", f".B posagent {_roff(' '.join(one.words))}{_positionals(one, known)}"]
        out.append(_roff(one.help) or "\\&")
        out += _options([a for a in _own(one, known) if a.option_strings], nested=True)
    out += [f".SH {names[4]}", *_options(common, nested=False), f".SH {names[5]}"]
    out += [_roff(top.parser.epilog or ""), f".SH {names[6]}"]
    for name, said in FILES[lang]:
        out += [".TP", f".I {_roff(name)}", _roff(said)]
    out += [f".SH {names[7]}", ".BR systemctl (1),", ".BR journalctl (1)"]
    return "\n".join(out) + "\n"


def _positionals(command: Command, known: frozenset[str]) -> str:
    names = []
    for action in _own(command, known):
        if not action.option_strings:
            name = str(action.metavar or "|".join(map(str, action.choices or [action.dest])))
            names.append(f"[{name}]" if action.nargs == "?" else name)
    return "".join(f" \\fI{_roff(name)}\\fB" for name in names)


def _options(actions: Sequence[argparse.Action], *, nested: bool) -> list[str]:
    if not actions:
        return []
    out = [".RS"] if nested else []
    for action in actions:
        value = ""
        if action.nargs != 0:
            chosen = "|".join(map(str, action.choices)) if action.choices else action.dest.upper()
            if isinstance(action.choices, range):
                chosen = "N"
            value = f" \\fI{_roff(str(action.metavar or chosen))}\\fR"
        names = ", ".join(f"\\fB{_roff(one)}\\fR" for one in action.option_strings)
        out += [".TP", names + value, _roff(_said(action)) or "\\&"]
    return [*out, ".RE"] if nested else out


def _said(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%")


def _roff(text: str) -> str:
    """Plain words that mean nothing to roff."""
    plain = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + plain if plain.startswith((".", "'")) else plain


def bash(top: Command) -> str:
    """Words by the command they stand behind."""
    cases = [
        f'        "{" ".join(one.words)}") words="{" ".join(_words(one))}" ;;'
        for one in (top, *_all(top))
    ]
    return f"""# posagent(1): completion for bash, generated from the program's own arguments
_posagent() {{
    local word path= words=
    COMPREPLY=()
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case $word in
            -*) ;;
            *) case " {" ".join(" ".join(one.words).replace(" ", "_") for one in _all(top))} " in
                *" ${{path:+${{path// /_}}_}}$word "*) path="${{path:+$path }}$word" ;;
            esac ;;
        esac
    done
    case ${{COMP_WORDS[COMP_CWORD-1]}} in
        --config | --reason-file | --file)
            COMPREPLY=($(compgen -f -- "${{COMP_WORDS[COMP_CWORD]}}"))
            return ;;
    esac
    case $path in
{chr(10).join(cases)}
    esac
    COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
    [ ${{#COMPREPLY[@]}} -gt 0 ] || COMPREPLY=($(compgen -f -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o filenames -F _posagent posagent
"""


def _words(command: Command) -> list[str]:
    """Commands, options and closed lists of values that may come next."""
    found = [one.words[-1] for one in command.below]
    for action in _own(command, frozenset()):
        found += action.option_strings
        if action.choices and not isinstance(action.choices, range):
            found += [str(one) for one in action.choices]
    return list(dict.fromkeys(found))


def zsh(top: Command) -> str:
    """zsh reads the same lists with their texts."""
    out = ["#compdef posagent", "# posagent(1): generated from the program's own arguments", ""]
    out += ["_posagent() {", "    local -a words_here", "    local path= word"]
    out += ["    for word in ${words[2,CURRENT-1]}; do", "        [[ $word == -* ]] && continue"]
    paths = " ".join(f'"{" ".join(one.words)}"' for one in _all(top))
    out += [f"        local -a paths=({paths})"]
    out += [
        '        (( ${paths[(Ie)${path:+$path }$word]} )) && path="${path:+$path }$word"',
        "    done",
    ]
    out += ["    case $path in"]
    for one in (top, *_all(top)):
        listed = [_zsh(sub.words[-1], sub.help) for sub in one.below]
        listed += [
            _zsh(option, _said(action))
            for action in _own(one, frozenset())
            for option in action.option_strings
        ]
        out.append(f"        '{' '.join(one.words)}') words_here=({' '.join(listed)}) ;;")
    out += ["    esac", "    _describe posagent words_here || _files", "}", "", '_posagent "$@"']
    return "\n".join(out) + "\n"


def _zsh(word: str, said: str) -> str:
    plain = " ".join(said.split()).replace("'", "’").replace("\\", "")
    return f"'{word}:{plain}'" if plain else f"'{word}'"


def fish(top: Command) -> str:
    """One line a word."""
    out = ["# posagent(1): generated from the program's own arguments"]
    for one in (top, *_all(top)):
        if one.words:
            seen = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in one.words)
        else:
            seen = "__fish_use_subcommand"
        out += [
            f"complete -c posagent -f -n '{seen}' -a {sub.words[-1]} -d '{_fish(sub.help)}'"
            for sub in one.below
        ]
        for action in _own(one, frozenset()):
            for option in action.option_strings:
                flag = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
                more = " -r" if action.nargs != 0 else ""
                said = _fish(_said(action))
                out.append(f"complete -c posagent -n '{seen}' {flag}{more} -d '{said}'")
    return "\n".join(out) + "\n"


def _fish(text: str) -> str:
    return " ".join(text.split()).replace("\\", "").replace("'", "\\'")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="build.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    out: Path = parser.parse_args(argv).out
    at = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH") or 0), UTC)
    made = {"man/man1/posagent.1": page("en", at), "man/zh_CN/man1/posagent.1": page("zh", at)}
    top = tree("en")
    made |= {
        "completions/posagent.bash": bash(top),
        "completions/_posagent": zsh(top),
        "completions/posagent.fish": fish(top),
    }
    for name, text in made.items():
        file = out / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
