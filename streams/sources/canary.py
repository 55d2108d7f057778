"""A post of our own: what comes back through a source shows that the source sees."""

from typing import Protocol


class Canary(Protocol):
    """An account that may post on a network that a source watches."""

    async def publish(self) -> str:
        """Publish a harmless post; give its `Post.id`, as sources of the network give it.

        Raises:
            SourceError: the service does not take it now; its `reason` says why.
            ConfigurationError: it never will with these settings.
        """
        ...

    async def withdraw(self, post_id: str) -> None:
        """Delete a post that `publish` made; one that is gone already is no error.

        Raises:
            SourceError: the service does not take it now; its `reason` says why.
            ConfigurationError: it never will with these settings.
        """
        ...
