"""Room in memory for what is decoded: who comes first has it first."""

import asyncio

ROOM_BYTES = 2**30
"""Of pixels and sound that a worker holds at once: four videos at their most (`MOST_BYTES`), or
some eighty still pictures."""


class Place:
    """So many bytes of a room.

    Args:
        room: whose.
        size_bytes: taken.
    """

    def __init__(self, room: "Room", size_bytes: int) -> None:
        self._room = room
        self._size_bytes = size_bytes

    def shrink_to(self, size_bytes: int) -> None:
        """Give back what is not needed any more; a place never grows."""
        if size_bytes < self._size_bytes:
            self._room.give_back(self._size_bytes - size_bytes)
            self._size_bytes = size_bytes

    def leave(self) -> None:
        """Give back all of it. Idempotent."""
        self.shrink_to(0)


class Room:
    """A number of bytes. One event loop; any number of its tasks.

    Whoever takes a place takes at once the most that it will need: nobody waits for more while
    holding some.

    Args:
        size_bytes: of it.
    """

    def __init__(self, size_bytes: int = ROOM_BYTES) -> None:
        self._all = self._free = size_bytes
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    async def take(self, size_bytes: int) -> Place:
        """Wait for so many bytes, behind all who waited before; at most for the whole room."""
        wanted = min(size_bytes, self._all)
        async with self._turn:
            while self._free < wanted:
                self._freed.clear()
                await self._freed.wait()
            self._free -= wanted
        return Place(self, wanted)

    def give_back(self, size_bytes: int) -> None:
        """Free so many bytes; a place's own."""
        self._free += size_bytes
        self._freed.set()
