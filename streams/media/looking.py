"""Bytes to what they show and sound like: the one entry of the locked child."""

from collections.abc import Callable

from streams.errors import UndecodableMediaError
from streams.media import containers, moving, pictures
from streams.media.frames import Limits, Summary
from streams.media.sampling import MediaSink
from streams.types import Look


def prepare() -> None:
    """Load and try every library, before the process is locked."""
    pictures.prepare()
    moving.prepare()
    pictures.warm_up()
    moving.warm_up()


def decode(
    body: bytes,
    sink: MediaSink,
    *,
    limit_cpu: Callable[[float], None],
    limits: Limits,
    look: Look,
) -> Summary:
    """Look at a medium of any kind; see `pictures.decode` and `moving.decode`.

    Raises:
        MediaTooLargeError: more pixels than allowed.
        UndecodableMediaError: neither a frame nor sound in these bytes, or in this part of them.
        OutOfTimeError: before the first of either.
    """
    kind = containers.sniff(body)
    if kind is None:
        try:
            return pictures.decode(body, sink, limit_cpu=limit_cpu, limits=limits, look=look)
        except UndecodableMediaError:
            if containers.is_still(body):
                raise
    return moving.decode(body, kind, sink, limit_cpu=limit_cpu, limits=limits, look=look)
