"""Bytecode that is the same everywhere, and of ours without the texts for readers of the source.

    bytecode.py < NAMES        (relative to the current directory, separated by NUL)

Depends on nothing but the source: no times, no paths of this machine. Docstrings of our own code
and of the libraries the daemon loads are left out: 1.9 MiB of its resident memory. So are the
annotations of our functions, which nothing reads (those of classes stay: records and messages are
made of them), and the columns of every line: 0.5 MiB more. Unlike `-OO` this keeps every `assert`,
needs no option at the start, and the sources lie beside it unchanged.
Run by the interpreter the bundle is for, with `-X no_debug_ranges`.
"""

import _imp
import ast
import importlib.util
import sys
from importlib._bootstrap_external import _code_to_hash_pyc
from pathlib import Path

#: Libraries whose code never reads its own docstrings.
WITHOUT = ("agent/", "h11/", "msgspec/", "nacl/", "serial/", "paho/")
#: Code whose functions' annotations nobody reads.
PLAIN = ("agent/",)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_KINDS = (ast.Module, ast.ClassDef, *_FUNCTIONS)


def without_docstrings(tree):
    """The same program; a body that was nothing but its docstring does nothing."""
    for node in ast.walk(tree):
        if isinstance(node, _KINDS) and ast.get_docstring(node, clean=False) is not None:
            text = node.body[0]
            node.body = node.body[1:]
            if not node.body and not isinstance(node, ast.Module):
                node.body = [ast.copy_location(ast.Pass(), text)]
        if isinstance(node, ast.ClassDef) and node.decorator_list:
            # A dataclass without any text makes one of its signature.
            name = ast.copy_location(ast.Expr(ast.Constant(node.name)), node.body[0])
            node.body.insert(0, ast.fix_missing_locations(name))
    return tree


def without_annotations(tree):
    """The same program; what functions take and give, and what module's names are, is not told."""
    for node in ast.walk(tree):
        if isinstance(node, _FUNCTIONS):
            node.returns = None
            taken = node.args
            rest = [one for one in (taken.vararg, taken.kwarg) if one is not None]
            for one in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs, *rest):
                one.annotation = None
    for place, node in enumerate(tree.body):
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            assigned = ast.Assign(targets=[node.target], value=node.value)
            tree.body[place] = ast.fix_missing_locations(ast.copy_location(assigned, node))
    return tree


def compiled(name, source):
    """The bytes of the .pyc, unchecked: an image's files do not change under it."""
    tree = ast.parse(source, name)
    if name.startswith(WITHOUT):
        tree = without_docstrings(tree)
    if name.startswith(PLAIN):
        tree = without_annotations(tree)
    code = compile(tree, name, "exec", dont_inherit=True)
    digest = _imp.source_hash(importlib.util._RAW_MAGIC_NUMBER, source)  # noqa: SLF001
    return bytes(_code_to_hash_pyc(code, digest, False))


def main():
    """The command."""
    if not sys._xoptions.get("no_debug_ranges"):  # noqa: SLF001
        sys.exit("bytecode.py needs -X no_debug_ranges: its output must not hang on the caller")
    for name in sys.stdin.read().split("\0"):
        source = Path(name).read_bytes()
        place = Path(importlib.util.cache_from_source(name))
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(compiled(name, source))


if __name__ == "__main__":
    main()
