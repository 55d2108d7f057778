"""A local file's bytes: what an operator names is read like what a stranger sends, up to a cap."""

import os
import stat
from pathlib import Path

from streams.errors import MediaTooLargeError, UndecodableMediaError, UnreadableFileError


def read_file(path: Path, max_bytes: int) -> bytes:
    """Read a regular file whole.

    Raises:
        UnreadableFileError: it is missing, may not be read, or is no regular file.
        MediaTooLargeError: more bytes than allowed; it is not read then.
        UndecodableMediaError: it is empty.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # no pipe waits
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise UnreadableFileError("no regular file")
            body = file.read(max_bytes + 1) if found.st_size <= max_bytes else None
    except (OSError, ValueError) as error:  # ValueError: a NUL in its name
        raise UnreadableFileError("cannot be read") from error
    if body is None or len(body) > max_bytes:
        raise MediaTooLargeError(f"more than {max_bytes} bytes")
    if not body:
        raise UndecodableMediaError("no bytes")
    return body
