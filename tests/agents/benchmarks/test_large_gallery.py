"""`agents.benchmarks.large_gallery`."""

from agents.benchmarks.large_gallery import VIEWS, measure_large_gallery


def test_every_planted_query_is_found_first() -> None:
    told: list[str] = []
    found = measure_large_gallery(2000, queries=5, progress=told.append)
    assert found.vectors == 2000 // VIEWS * VIEWS
    assert found.recall == 1
    assert min(found.gallery_ms, found.bare_ms, found.film_ms, found.bare_film_ms) > 0
    assert told
