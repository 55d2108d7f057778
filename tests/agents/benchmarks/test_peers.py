"""`agents.benchmarks.peers`: the kit's program is not run; what it leaves is read."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents.benchmarks.peers import PeersProgram, read_peers, run_peers
from streams.errors import ConfigurationError
from tests.agents.benchmarks.findings import a_set


def test_hashes_are_compared_at_the_best_turn(tmp_path: Path) -> None:
    media = replace(a_set("image", 8, 4)[0], folder=tmp_path)
    chance = np.random.default_rng(0)
    references = chance.integers(0, 2, (8, 8, 256)).astype(bool)
    posts = chance.integers(0, 2, (12, 8, 256)).astype(bool)
    posts[3, 5] = references[2, 0]
    np.savez(tmp_path / "feat_image.npz", pdq_8way=np.concatenate([references, posts]))
    found = read_peers(media)["pdq_8way"]
    assert found.shape == (12, 8)
    assert found[3, 2] == 1
    assert found[4].max() < 0.7


def test_videos_of_sound_alone_are_left_out(tmp_path: Path) -> None:
    media = replace(a_set("video", 8, 4)[0], folder=tmp_path)
    posts = (replace(media.posts[0], edit="audio_kept"), *media.posts[1:])
    media = replace(media, posts=posts)
    table = np.arange(88.0).reshape(11, 8)
    (tmp_path / "S_video.pkl").write_bytes(pickle.dumps(({"peer": table}, np.zeros(11), ["x"])))
    found = read_peers(media)["peer"]
    assert np.isnan(found[0]).all()
    np.testing.assert_array_equal(found[1:], table)


class _Harm:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("harm",)


def test_what_could_run_is_not_read(tmp_path: Path) -> None:
    media = replace(a_set("video", 8, 4)[0], folder=tmp_path)
    (tmp_path / "S_video.pkl").write_bytes(pickle.dumps(({"peer": _Harm()}, 0, 0)))
    with pytest.raises(ConfigurationError):
        read_peers(media)


def test_no_results_and_a_failing_program_are_said_in_a_line(tmp_path: Path) -> None:
    media = replace(a_set("audio", 8, 4)[0], folder=tmp_path)
    with pytest.raises(ConfigurationError, match="--peers"):
        read_peers(media)
    program = PeersProgram(
        python=Path("/bin/false"), folder=tmp_path, models=(tmp_path / "a.onnx",)
    )
    with pytest.raises(ConfigurationError, match="failed"):
        run_peers(program, media)
