"""Names of posts and authors that outlive a post's edits: what a removal is looked up by."""

import hashlib

from streams.types import Post


def post_ref(network: str, post_id: str) -> str:
    """Name a post in all its revisions: 128 bits of a SHA-256, in hex."""
    return _digest("post", network, post_id)


def author_ref(network: str, author: str) -> str:
    """Name an author: 128 bits of a SHA-256, in hex."""
    return _digest("author", network, author)


def refs_of(post: Post) -> tuple[str, str | None]:
    """Name a post and its author as a removal will."""
    network = post.network or post.source
    return post_ref(network, post.id), post.author and author_ref(network, post.author)


def _digest(*parts: str) -> str:
    joined = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(joined).hexdigest()[:32]
