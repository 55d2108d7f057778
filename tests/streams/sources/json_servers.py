"""YouTube's `search.list` on loopback, in the shape that its documentation gives answers.

The real service is behind a key, and is never asked by a test.
"""

from typing import Any

from tests.streams.sources.at_servers import Answer


def a_video(number: int, **more: Any) -> dict[str, Any]:
    pictures = {
        size: {"url": f"https://pictures.example/{number}/{size}.jpg", "width": 120, "height": 90}
        for size in ("default", "medium", "high")
    }
    snippet = {
        "publishedAt": "2026-05-25T14:23:28Z",
        "channelId": "UCx",
        "title": f"video &amp; {number}",
        "description": "words",
        "thumbnails": pictures,
    }
    name = {"kind": "youtube#video", "videoId": f"v{number}"}
    return {"kind": "youtube#searchResult", "id": name, "snippet": snippet | more}


class Videos:
    """Has so many videos, and gives them in pages."""

    def __init__(self, items: list[Any], key: str = "word") -> None:
        self.items, self.key = items, key
        self.asked: list[dict[str, list[str]]] = []

    def handle(self, path: str, asked: dict[str, list[str]], headers: Any, content: Any) -> Answer:
        self.asked.append(asked)
        if headers.get("x-goog-api-key") != self.key:
            return 403, {}, {"error": {"code": 403, "message": "secret"}}
        begin = int(asked.get("pageToken", ["0"])[0])
        end = begin + int(asked["maxResults"][0])
        more = {"nextPageToken": str(end)} if end < len(self.items) else {}
        return (
            200,
            {},
            {"kind": "youtube#searchListResponse", "items": self.items[begin:end]} | more,
        )
