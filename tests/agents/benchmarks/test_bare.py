"""`agents.benchmarks.bare`."""

from pathlib import Path

from agents.benchmarks import bare
from gpu_kernels.engine import load_engine
from gpu_kernels.fingerprint import fingerprint_query
from gpu_kernels.models import LocatedModel
from tests.agents.benchmarks.conftest import ENGINE, save
from tests.gpu_kernels.test_views import photo


def test_every_file_is_fingerprinted_once_with_the_pipelines_views(
    located: LocatedModel, tmp_path: Path
) -> None:
    seeds = range(5)
    files = [tmp_path / save(tmp_path, str(seed), seed) for seed in seeds]
    found = bare.measure(files, located, engine=ENGINE, processes=2)
    engine = load_engine(ENGINE, located.path, model=located.model)
    expected = sum(
        len(fingerprint_query(photo(60, 80, seed=seed), engine).embeddings) for seed in seeds
    )
    assert (found.images, found.views) == (5, expected)
    assert found.images_per_second == found.images / found.seconds
