"""What the demo shows while it runs: a bar on a terminal, a line every few seconds elsewhere."""

import time
from typing import Protocol, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

PLAIN_SECONDS = 5.0


class Show(Protocol):
    """Where the demo's words go; a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def say(self, text: str) -> None:
        """Tell what begins."""
        ...

    def advance(self, what: str, done: int, total: int) -> None:
        """Tell how far something is."""
        ...


class PlainShow:
    """Lines on standard error, at most one every `PLAIN_SECONDS` of the same thing."""

    def __init__(self) -> None:
        self._last = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def say(self, text: str) -> None:
        typer.echo(text, err=True)
        self._last = 0.0

    def advance(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - self._last >= PLAIN_SECONDS:
            self._last = now
            typer.echo(f"  {what}: {done} of {total}", err=True)


class TerminalShow:
    """A bar on standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        columns = (MofNCompleteColumn(), BarColumn(bar_width=20), TimeElapsedColumn())
        self._progress = Progress(
            *columns, TextColumn("{task.description}"), console=self._console, transient=True
        )
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        self._console.print(text)

    def advance(self, what: str, done: int, total: int) -> None:
        self._progress.update(self._task, description=what, completed=done, total=total)
