"""`agents.benchmarks.images`: a tiny set, a toy network, the product's own search."""

from agents.benchmarks.images import Evidence, fit_half, score
from alerts.calibration import shipped_calibration


def test_copies_are_at_no_distance_and_mirrored_ones_near_for_haechi_alone(
    evidence: Evidence,
) -> None:
    truth = evidence.images.truth
    for row, post in enumerate(evidence.images.posts[:16]):
        mirrored = post.edit == "flip"
        assert (evidence.pdq[row, truth[row]] > 31) == mirrored
        assert evidence.distance[row, truth[row]] <= 40
        assert evidence.similarity[row, truth[row]] > 0.99
    assert evidence.views >= 1
    assert evidence.seconds > 0


def test_rows_tell_every_method_on_everything_and_on_the_reported_half(evidence: Evidence) -> None:
    rows = score(evidence, shipped_calibration())
    assert [(row.method, row.half) for row in rows] == [
        (method, half) for half in ("all", "reported") for method in ("pdq", "sscd whole", "haechi")
    ]
    pdq = rows[0]
    assert pdq.thresholds["distance <= 31"].recall == 0.5
    assert pdq.scores.by_edit == {"flip": 0, "jpeg15": 1}
    assert set(rows[2].thresholds) == {"alert", "review"}
    reported = evidence.images.half(1)[0]
    assert rows[5].thresholds["alert"].unrelated == sum(
        evidence.images.truth[i] < 0 for i in reported
    )


def test_fitting_tells_what_it_was_fitted_on(evidence: Evidence) -> None:
    calibration, fitted_on = fit_half(evidence)
    posts, references = evidence.images.half(0)
    assert fitted_on["references"] == len(references)
    assert fitted_on["copies"] + fitted_on["distractors"] == len(posts)
    assert 0 < calibration.review <= calibration.alert < 1
