"""The lock that says a supervisor lives: an open-file-description lock, freed by any death, tested without being taken.

Not `flock`: that can only be tested by taking it, and a reader doing so makes a starting supervisor fail. Not a classic
POSIX lock: any close of the file in the process would drop it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct

#: struct flock: type, whence, start, length (0: the whole file), pid (0 is required here); 64 bits, Linux
_FLOCK = "hhqqi0q"


def take(path: str) -> int | None:
    """Take the lock and return its descriptor (close-on-exec), to be kept open; None if another process has it.

    A forked child shares the lock until it closes the descriptor or execs. Raises OSError where files can't be locked.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return None
        raise
    return descriptor


def held(path: str) -> bool:
    """True if some process has the lock. Takes nothing; a missing or unreadable file is not locked."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    kind: int = struct.unpack(_FLOCK, answer)[0]
    return kind != fcntl.F_UNLCK
