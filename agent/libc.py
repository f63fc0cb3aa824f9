"""Two calls of the C library that Python has no name for: `adjtimex` and `malloc_trim`.

Through the backend that libsodium's binding has loaded anyway (cffi); ctypes would take 0.7 MB of
the daemon for the same. Called by the clock's witness and by `main`.
"""

from __future__ import annotations

import errno
from functools import cache
from typing import Any

import _cffi_backend as cffi  # type: ignore[import-untyped]


def adjtimex(size: int) -> tuple[int, bytes]:
    """What the kernel says of its clock: return value and `size` bytes from the start of its struct
    timex, whose `modes` is 0: nothing is changed and no right is needed.

    `size` must be what the kernel writes or more (208 bytes on 64 bits). Raises OSError where it is
    not allowed, AttributeError where this C library has no such call.
    """
    library, int_, _ = _library()
    pointer = cffi.new_pointer_type(cffi.new_primitive_type("char"))
    call = library.load_function(cffi.new_function_type((pointer,), int_), "adjtimex")
    buffer = cffi.newp(cffi.new_array_type(pointer, size))
    result = int(call(buffer))
    if result < 0:
        number = cffi.get_errno()
        raise OSError(number, errno.errorcode.get(number, "adjtimex"))
    return result, bytes(cffi.buffer(buffer))


def trim() -> bool:
    """Give the pages that lie free inside the heap back to the kernel: 1 MB after a start.

    False where this C library cannot (musl, Android's: theirs keep little).
    """
    library, int_, size_t = _library()
    try:
        call = library.load_function(cffi.new_function_type((size_t,), int_), "malloc_trim")
    except AttributeError:
        return False
    call(0)
    return True


@cache
def _library() -> tuple[Any, Any, Any]:
    """What this process is linked with, and the two types both calls know."""
    names = ("int", "size_t")
    return (cffi.load_library(None, 0), *map(cffi.new_primitive_type, names))
