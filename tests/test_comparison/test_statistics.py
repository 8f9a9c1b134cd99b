import numpy as np
import pytest

from mmseg_pfdiff.comparison.results import TestResult
from mmseg_pfdiff.comparison.statistics import class_iou, paired_differences, pixel_accuracy, scores


def make_result(seed, quality, micrographs=4, classes=3):
    """Pixel counts of random confusion matrices, the better the higher `quality`."""
    rng = np.random.default_rng(seed)
    confusion = rng.integers(1, 100, (micrographs, classes, classes))
    confusion[:, range(classes), range(classes)] *= quality
    intersection = confusion[:, range(classes), range(classes)]
    return TestResult(tuple('abcd'[:micrographs]), intersection, confusion.sum(1), confusion.sum(2))


def test_iou_by_hand():
    iou = class_iou(np.array([[2, 0], [1, 0]]), np.array([[3, 1], [2, 0]]), np.array([[4, 0], [1, 0]]))
    assert iou[0] == pytest.approx(100 * 3 / (5 + 5 - 3)) and np.isnan(iou[1])
    result = TestResult(('a',), np.array([[2, 3]]), np.array([[4, 6]]), np.array([[5, 5]]))
    assert pixel_accuracy(result) == 50
    assert scores(result)[0] == pytest.approx(np.mean([100 * 2 / 7, 100 * 3 / 8]))


def test_differences_are_means_over_seeds_and_splits():
    ours = [[make_result(n, 9) for n in range(3)], [make_result(n + 10, 9) for n in range(3)]]
    theirs = [[make_result(n + 20, 3) for n in range(3)], [make_result(n + 30, 3) for n in range(3)]]
    found = paired_differences(ours, theirs)
    expected = np.mean(
        [
            scores(a) - scores(b)
            for one, other in zip(ours, theirs, strict=True)
            for a, b in zip(one, other, strict=True)
        ],
        0,
    )
    assert [one.value for one in found] == pytest.approx(expected)
    for one in found:
        assert 0 < one.low < one.value < one.high
    same = paired_differences(ours, ours)
    assert all(one.value == 0 and np.isnan(one.low) for one in same)


def test_the_interval_of_the_mean_is_that_of_a_plain_bootstrap():
    # One micrograph: only seeds are drawn, and their mean differences are known.
    ours = [[make_result(n, 5, micrographs=1) for n in range(8)]]
    theirs = [[make_result(n + 50, 5, micrographs=1) for n in range(8)]]
    each = np.array([scores(a)[0] - scores(b)[0] for a, b in zip(ours[0], theirs[0], strict=True)])
    rng = np.random.default_rng(1)
    low, high = np.percentile(rng.choice(each, (20000, 8)).mean(1), [2.5, 97.5])
    found = paired_differences(ours, theirs)[0]
    assert found.low == pytest.approx(low, abs=0.1 * (high - low)) and found.high == pytest.approx(
        high, abs=0.1 * (high - low)
    )


def test_a_class_of_one_micrograph_does_not_come_and_go():
    """The methods differ in the class that one of five micrographs holds, and nowhere else."""
    counts = np.array([[100, 0]] * 4 + [[100, 50]])
    ours = TestResult(tuple('abcde'), counts, counts, counts)
    theirs = TestResult(tuple('abcde'), np.array([[100, 0]] * 4 + [[100, 10]]), counts, counts)
    mean, common, rare = paired_differences([[ours]], [[theirs]])
    assert common.value == 0 and rare.value == pytest.approx(800 / 9) and mean.value == pytest.approx(400 / 9)
    # Nothing varies from sample to sample: no interval, rather than one of no width.
    assert all(np.isnan(one.low) and np.isnan(one.high) for one in (mean, common, rare))


def test_what_tells_nothing_of_the_spread():
    found = paired_differences([[make_result(0, 5, 1)]], [[make_result(1, 5, 1)]])
    assert np.isnan(found[0].low) and not np.isnan(found[0].value)
    with pytest.raises(ValueError, match='different test micrographs'):
        paired_differences([[make_result(0, 5, 2)]], [[make_result(1, 5, 3)]])
