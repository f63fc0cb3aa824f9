"""Where posagent's bundle starts: is this the interpreter the compiled parts were made for?

Called by bin/posagent and bin/posagent-actions, with the program's name first. Anything from
Python 3.6 on can read this file, so that a wrong interpreter hears a sentence instead of an
ImportError from deep inside. Nothing is imported that the agent would not import anyway.
"""

import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES

# needed: written by packaging/bundle/build.py
NEEDED = {"python": "", "tag": "", "glibc": ""}

#: What is started under which name.
PROGRAMS = {"posagent": "agent.__main__", "posagent-actions": "agent.actions_service.__main__"}
#: EX_CONFIG of sysexits.h: the service manager need not try again.
REFUSED = 78


def found_tag():
    """What this interpreter calls the compiled modules it loads."""
    for suffix in EXTENSION_SUFFIXES:
        name = suffix[1:-3] if suffix.endswith(".so") else ""
        if name.startswith(("cpython-", "pypy")):
            return name
    return f"{sys.implementation.cache_tag}-{sys.platform}"


def found_glibc():
    """The version of glibc, as in "2.36"; "" with another C library."""
    names = getattr(os, "confstr_names", {})
    if "CS_GNU_LIBC_VERSION" not in names:
        return ""
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").rpartition(" ")[2]
    except (OSError, ValueError):
        return ""


def older(found, needed):
    """Whether version `found` is older than `needed`."""
    return [int(n) for n in found.split(".")] < [int(n) for n in needed.split(".")]


def refusal(needed, version, tag, glibc, executable):
    """Why this interpreter cannot run the bundle, in English and Chinese; None where it can."""
    python, wanted, least = needed["python"], needed["tag"], needed["glibc"]
    if (version, tag) != (python, wanted):
        return (
            (
                f"this bundle of posagent is for Python {python} with the tag {wanted}, "
                f"but {executable} is Python {version} with the tag {tag}\n"
                f"  what to do: make bin/python a link to a Python {python} with the tag {wanted}, "
                f"or use a bundle built for {tag}"
            ),
            (
                f"此 posagent 包适用于 Python {python}（标签 {wanted}），"
                f"而 {executable} 是 Python {version}（标签 {tag}）\n"
                f"  处理办法：让 bin/python 指向标签为 {wanted} 的 Python {python}，"
                f"或改用为 {tag} 构建的包"
            ),
        )
    if least and not glibc:
        return (
            (
                f"this bundle of posagent needs glibc {least} or newer, "
                "but this Python runs on another C library\n"
                "  what to do: use a bundle built with --libc musl"
            ),
            (
                f"此 posagent 包需要 glibc {least} 或更高版本，而当前 Python 使用的是其他 C 库\n"
                "  处理办法：改用以 --libc musl 构建的包"
            ),
        )
    if least and older(glibc, least):
        return (
            (
                f"this bundle of posagent needs glibc {least} or newer, and found {glibc}\n"
                "  what to do: update the system image, or build the compiled parts again on a "
                "system as old as this one"
            ),
            (
                f"此 posagent 包需要 glibc {least} 或更高版本，当前为 {glibc}\n"
                "  处理办法：更新系统镜像，或在同样旧的系统上重新编译各组件"
            ),
        )
    return None


def astray(home, executable):
    """Why an interpreter of the right kind would take another one's library; None where it does
    not. `home` is what pyvenv.cfg says."""
    real = os.path.realpath(executable)
    folder, name = os.path.split(real)
    version = ".".join(str(number) for number in sys.version_info[:2])
    for known in (name, "python" + version, "python3", "python"):
        if os.path.realpath(os.path.join(home, known)) == real:  # noqa: PTH118 - pathlib: 2 ms
            return None
    return (
        (
            f"bin/python leads to {real}, but pyvenv.cfg names {home} as the home of its library\n"
            f"  what to do: write `home = {folder}` into pyvenv.cfg of this bundle"
        ),
        (
            f"bin/python 指向 {real}，而 pyvenv.cfg 中的 home 是 {home}\n"
            f"  处理办法：在此包的 pyvenv.cfg 中写 `home = {folder}`"
        ),
    )


def refuse(words):
    """Say it on standard error, whatever its encoding."""
    text = "".join(f"posagent: {line}\n" for line in words)
    stream = getattr(sys.stderr, "buffer", None)
    if stream is None:
        sys.stderr.write(text)
    else:
        stream.write(text.encode("utf-8"))
        stream.flush()
    sys.exit(REFUSED)


def start():
    """Run the program named first."""
    version = ".".join(str(number) for number in sys.version_info[:2])
    words = refusal(NEEDED, version, found_tag(), found_glibc(), sys.executable)
    words = words or astray(getattr(sys, "_home", None) or "", sys.executable)
    if words:
        refuse(words)
    program = sys.argv.pop(1)
    sys.argv[0] = program
    from importlib import import_module

    sys.exit(import_module(PROGRAMS[program]).main())


if __name__ == "__main__":
    start()
