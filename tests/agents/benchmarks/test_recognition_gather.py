"""`agents.benchmarks.recognition_gather`, with real children."""

from pathlib import Path

import pytest

from agents.benchmarks.recognition_gather import gather
from agents.benchmarks.recognition_set import load_set
from monitors.recognition import Recognition
from streams.settings import Settings
from tests.weights import pulled


@pytest.mark.models
async def test_the_same_files_are_found_and_a_second_run_looks_at_nothing(
    folder: Path, tmp_path: Path
) -> None:
    pulled()
    sets = load_set(folder).kinds
    told: list[int] = []
    recognition = Recognition.from_settings(Settings(), engine_children=2, decoder_children=2)
    async with recognition:
        for media in sets.values():
            again = []
            for _ in range(2):
                seen = await gather(
                    media,
                    recognition,
                    cache=tmp_path,
                    jobs=2,
                    progress=lambda done, _: told.append(done),
                )
                again.append([one.findings.ordinals for one in seen])
            assert again[0] == again[1]
            for post, ordinals in zip(media.posts, again[0], strict=True):
                assert post.reference < 0 or post.reference in ordinals
    assert len(told) == sum(len(media.posts) for media in sets.values())
