"""`agents.benchmarks.evaluation`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.benchmarks.evaluation import evaluate, micro_average_precision

TRUTH = np.array([0, 1, 0, -1, -1], np.intp)
EDITS = ["crop", "crop", "flip", "", "flip"]
LIKENESS = np.array([[0.9, 0.1], [0.2, 0.6], [0.4, 0.3], [0.5, 0.1], [0.2, 0.0]])


def test_recall_counts_copies_above_the_most_alike_unrelated_post() -> None:
    scores = evaluate(LIKENESS, TRUTH, EDITS)
    assert scores.threshold == 0.5
    assert scores.recall == pytest.approx(2 / 3)
    assert scores.by_edit == {"crop": 1.0, "flip": 0.0}


def test_a_copy_no_more_alike_than_an_unrelated_post_is_not_found() -> None:
    level = np.array([[0.5, 0.1], [0.2, 0.6], [0.4, 0.3], [0.5, 0.1], [0.2, 0.0]])
    assert evaluate(level, TRUTH, EDITS).recall == pytest.approx(1 / 3)


def test_a_perfect_ranking_has_precision_one() -> None:
    perfect = np.where(np.eye(5, 2) > 0, 1.0, 0.0)
    perfect[2] = [1.0, 0.0]
    assert micro_average_precision(perfect, TRUTH) == 1


def test_ignored_pairs_are_neither_finds_nor_alarms() -> None:
    ignored = LIKENESS.copy()
    ignored[3, 0] = -np.inf
    scores = evaluate(ignored, TRUTH, EDITS)
    assert scores.threshold == 0.2
    assert scores.recall == 1


def slow_micro_ap(likeness: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> float:
    """Walk down the distinct values, one by one."""
    true = {(i, int(r)) for i, r in enumerate(TRUTH) if r >= 0}
    total, before = 0.0, 0.0
    for value in sorted(set(likeness.ravel().tolist()), reverse=True):
        taken = {(int(i), int(j)) for i, j in np.argwhere(likeness >= value)}
        recall = len(taken & true) / len(true)
        total += (recall - before) * len(taken & true) / len(taken)
        before = recall
    return total


@given(st.lists(st.integers(0, 6), min_size=10, max_size=10))
def test_micro_ap_equals_the_slow_definition_with_ties(values: list[int]) -> None:
    likeness = np.array(values, float).reshape(5, 2)
    assert micro_average_precision(likeness, TRUTH) == pytest.approx(slow_micro_ap(likeness))
