"""`gpu_kernels.registry`: what it says of every network."""

from gpu_kernels.models import DEFAULT_MODEL
from gpu_kernels.registry import NEEDED, SPEECH, WEIGHTS


def test_every_entry_says_its_licence_and_hashes() -> None:
    for name, weights in WEIGHTS.items():
        assert weights.name == name
        assert weights.licence
        assert weights.purpose
        for file in weights.files:
            assert len(file.sha256) == 64
            assert file.size_bytes > 0
            assert "/" not in file.name


def test_names_of_files_never_meet_in_one_folder() -> None:
    folders = [f"{weights.name}-{weights.version}" for weights in WEIGHTS.values()]
    assert len(set(folders)) == len(folders)
    for weights in WEIGHTS.values():
        assert len({file.name for file in weights.files}) == len(weights.files)


def test_what_an_instance_needs_is_registered_and_modest() -> None:
    assert DEFAULT_MODEL in NEEDED
    assert set(NEEDED) == set(WEIGHTS) - {"sscd-distilled"}
    assert sum(WEIGHTS[name].size_bytes for name in NEEDED) < 250e6


def test_whisper_is_joined_out_of_two_packages_in_order() -> None:
    model = next(file for file in SPEECH.files if file.name == "model.bin")
    assert [part.file[-1] for part in model.parts] == ["1", "2"]
