"""What every index must do."""

import numpy as np
import pytest

from gpu_kernels.index import INDEXES, ExactIndex, Index, Vectors, load_index

DIMENSIONS = 16


def unit_rows(count: int, seed: int) -> Vectors:
    rows = np.random.default_rng(seed).standard_normal((count, DIMENSIONS)).astype(np.float32)
    unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


@pytest.fixture(params=sorted(INDEXES))
def index(request: pytest.FixtureRequest) -> Index:
    return load_index(request.param, DIMENSIONS)


def test_a_vector_is_its_own_nearest(index: Index) -> None:
    vectors = unit_rows(50, seed=1)
    index.add(vectors)
    similarities, ids = index.search(vectors, 1)
    assert ids[:, 0].tolist() == list(range(50))
    np.testing.assert_allclose(similarities[:, 0], 1, atol=1e-5)


def test_it_agrees_with_the_product_of_matrices(index: Index) -> None:
    vectors, queries = unit_rows(300, seed=2), unit_rows(7, seed=3)
    index.add(vectors)
    similarities, ids = index.search(queries, 10)
    expected = np.sort(queries @ vectors.T, axis=1)[:, ::-1][:, :10]
    np.testing.assert_allclose(similarities, expected, atol=1e-5)
    np.testing.assert_allclose(np.einsum("qd,qkd->qk", queries, vectors[ids]), expected, atol=1e-5)


def test_ids_go_on_counting_over_several_additions(index: Index) -> None:
    parts = [unit_rows(n, seed=n) for n in (3, 1, 9, 40)]
    for part in parts:
        index.add(part)
    assert len(index) == 53
    assert index.search(parts[3][:1], 1)[1].tolist() == [[13]]
    assert index.search(parts[0][2:3], 1)[1].tolist() == [[2]]


def test_more_neighbours_than_vectors_are_all_vectors(index: Index) -> None:
    index.add(unit_rows(4, seed=5))
    similarities, ids = index.search(unit_rows(2, seed=6), 10)
    assert similarities.shape == ids.shape == (2, 4)
    assert sorted(ids[0].tolist()) == [0, 1, 2, 3]


def test_an_empty_index_finds_nothing(index: Index) -> None:
    similarities, ids = index.search(unit_rows(2, seed=6), 10)
    assert similarities.shape == ids.shape == (2, 0)


def test_no_query_finds_nothing(index: Index) -> None:
    index.add(unit_rows(4, seed=5))
    assert index.search(unit_rows(0, seed=6), 2)[0].shape == (0, 2)


def test_added_vectors_are_copied(index: Index) -> None:
    vectors = unit_rows(2, seed=7)
    index.add(vectors)
    query = vectors[:1].copy()
    vectors[:] = 0
    assert index.search(query, 1)[0][0, 0] == pytest.approx(1, abs=1e-5)


def test_the_exact_index_grows_by_doubling() -> None:
    index = ExactIndex(DIMENSIONS)
    for n in range(20):
        index.add(unit_rows(1, seed=n))
    assert len(index) == 20
    assert index.search(unit_rows(1, seed=11), 1)[1].tolist() == [[11]]
