"""Statuses in the shape that Mastodon's documentation gives them; all of it made up."""

from typing import Any

SERVER = "https://social.example"


def a_status(number: int, **more: Any) -> dict[str, Any]:
    """Status `number`, by an account of another server, without pictures of its own."""
    name = more.pop("by", "somebody")
    return {
        "id": str(number),
        "created_at": "2026-05-25T14:23:28.757Z",
        "edited_at": None,
        "language": "ko",
        "uri": f"https://origin.example/users/{name}/statuses/{number}",
        "url": f"https://origin.example/@{name}/{number}",
        "spoiler_text": "",
        "content": f"<p>post {number}</p>",
        "reblog": None,
        "media_attachments": [],
        "card": None,
        "account": {
            "id": "7",
            "uri": f"https://origin.example/users/{name}",
            "url": f"https://origin.example/@{name}",
            "display_name": "Somebody",
            "note": "<p>a note</p>",
            "avatar": f"{SERVER}/avatars/original/missing.png",
            "header": f"{SERVER}/headers/original/missing.png",
        },
    } | more


def an_image(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "type": "image",
        "url": f"{SERVER}/media/{number}.jpg",
        "remote_url": f"https://origin.example/media/{number}.jpg",
        "description": f"alt {number}",
    } | more
