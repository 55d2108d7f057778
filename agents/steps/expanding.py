"""From a post's links to pages, to the media that those pages name."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from streams.schemas import MAX_MEDIA
from streams.types import MediaItem, MediaKind, MediumResult, Outcome, Post, Priority

LINKS_NOT_FOLLOWED = "links_not_followed"
"""Reason of a `clear` post that has nothing but links, and no keyword that made it urgent."""

PAGE_WITHOUT_MEDIA = "page_without_media"
"""Reason of a page that was read, and names no medium that its post has not."""


def followed(post: Post, priority: Priority) -> Post:
    """Leave out links; where the post is urgent, they are pages to be read."""
    kept = [item for item in post.media if item.kind is not MediaKind.LINK]
    if priority is Priority.URGENT:
        kept = [_as_page(item) for item in post.media]
    return replace(post, media=tuple(kept))


def _as_page(item: MediaItem) -> MediaItem:
    return replace(item, kind=MediaKind.PAGE) if item.kind is MediaKind.LINK else item


def shares(media: Sequence[MediaItem]) -> dict[int, int]:
    """Say how many media each page may name, by its index, so that a post stays within its limit.

    The first of them takes the page's own place: one page among a hundred media names one.
    """
    pages = [index for index, item in enumerate(media) if item.kind is MediaKind.PAGE]
    room = max(0, MAX_MEDIA - len(media))
    return {
        index: 1 + room // len(pages) + (1 if rank < room % len(pages) else 0)
        for rank, index in enumerate(pages)
    }


def fresh(named: Sequence[MediaItem], known: set[str], most: int) -> list[MediaItem]:
    """Take of a page's media those that its post has not; they are then `known`."""
    taken: list[MediaItem] = []
    for item in named:
        if len(taken) < most and item.url not in known:
            known.add(item.url)
            taken.append(item)
    return taken


def read_without_media(index: int, sha256: str) -> MediumResult:
    """Say how a page ended that names nothing to look at."""
    return MediumResult(
        index=index, outcome=Outcome.CLEAR, reason=PAGE_WITHOUT_MEDIA, sha256=sha256
    )


def spread(post: Post, named: Mapping[int, Sequence[MediaItem]]) -> tuple[Post, list[list[int]]]:
    """Put into a post what its pages named.

    Args:
        post: with its pages.
        named: by a page's index, what it named: at least one.

    Returns:
        The post: each page's first medium in its place, the others at the end. And for each medium
        of the old post, the indices of what stands for it now.
    """
    media = list(post.media)
    places: list[list[int]] = []
    for index in range(len(post.media)):
        places.append([index])
        for rank, item in enumerate(named.get(index, ())):
            if rank == 0:
                media[index] = item
            else:
                places[index].append(len(media))
                media.append(item)
    return replace(post, media=tuple(media)), places
