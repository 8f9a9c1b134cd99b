import numpy as np
import pytest
import torch
from scipy import linalg
from torch_fidelity.metric_kid import kid_features_to_metric

from mmseg_pfdiff.metrics.distances import (
    class_score,
    frechet_distance,
    kid,
    precision_recall,
    set_distances,
    squared_mmd,
)


def features(number, width, seed, shift=0.0):
    rng = np.random.default_rng(seed)
    return torch.as_tensor(rng.standard_normal((number, width)) @ rng.standard_normal((width, width)) + shift)


def slow_mmd(x, y):
    """Pair after pair."""

    def kernel(a, b):
        return (float(a @ b) / len(a) + 1) ** 3

    n, m = len(x), len(y)
    xx = sum(kernel(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    yy = sum(kernel(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return xx + yy - 2 * sum(kernel(a, b) for a in x for b in y) / (n * m)


def slow_frechet(x, y):
    x, y = x.numpy(), y.numpy()
    c, d = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = linalg.sqrtm(c @ d).real
    return ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(c + d - 2 * root)


def test_squared_mmd_equals_the_slow_reference():
    x, y = features(7, 5, 0), features(7, 5, 1, 0.5)
    assert squared_mmd(x, y).item() == pytest.approx(slow_mmd(x, y), rel=1e-12)


def test_kid_of_whole_sets_and_of_subsets():
    x, y = features(12, 5, 0), features(12, 5, 0, 1.0)
    whole = kid(x, y, 'f', subset_size=12, subsets=3)
    assert whole.mean == pytest.approx(slow_mmd(x, y)) and whole.std == pytest.approx(0, abs=1e-9)
    assert whole.counts == (12, 12) and whole.extractor == 'f' and whole.subset_size == 12
    theirs = kid_features_to_metric(x, y, kid_subsets=1, kid_subset_size=12, verbose=False)
    assert whole.mean == pytest.approx(theirs['kernel_inception_distance_mean'])
    drawn = kid(x, y, 'f', subset_size=6, subsets=400)
    assert drawn.mean == pytest.approx(whole.mean, abs=4 * drawn.std / 20) and drawn.std > 0
    assert kid(x, y, 'f') == kid(x, y, 'f') != kid(x, y, 'f', seed=1)
    assert kid(x, y, 'f').subset_size == 6


def test_kid_is_near_zero_for_one_source_whatever_the_counts():
    x, y = torch.randn(400, 8, generator=torch.Generator().manual_seed(0)).split([320, 80])
    same = kid(x, y, 'f')
    assert same.counts == (320, 80) and same.subset_size == 40
    assert abs(same.mean) < same.std
    assert kid(x, y + 1, 'f').mean > 10 * same.std


@pytest.mark.parametrize(('n', 'm'), [(60, 90), (60, 6), (5, 4)])
def test_frechet_equals_the_matrix_root(n, m):
    x, y = features(n, 8, 0), features(m, 8, 1, 0.5)
    result = frechet_distance(x, y)
    assert result == pytest.approx(slow_frechet(x, y), rel=1e-5)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, x + 2) == pytest.approx(8 * 4)


def test_errors_of_distances():
    with pytest.raises(ValueError, match=r'subset_size must be 2\.\.3.*got 4'):
        kid(torch.zeros(9, 2), torch.zeros(3, 2), 'f', subset_size=4)
    few = torch.zeros(1, 2), torch.zeros(3, 2)
    for distance in (lambda: kid(*few, 'f'), lambda: frechet_distance(*few)):
        with pytest.raises(ValueError, match=r'got \(1, 2\) and \(3, 2\)'):
            distance()


def test_sets_are_compared_with_one_of_them():
    sets = {name: [features(n, 5, n), features(n, 5, n + 50)] for name, n in (('train', 9), ('val', 4), ('lonely', 1))}
    distances = dict(set_distances(sets, 'train', 'f', seed=2))
    assert list(distances) == ['val'] and list(distances['val']) == ['image', 'mask']
    for n, (kernel, frechet) in enumerate(distances['val'].values()):
        assert kernel == kid(sets['val'][n], sets['train'][n], 'f', seed=2)
        assert frechet == frechet_distance(sets['val'][n], sets['train'][n])


def clouds(seed=0):
    """A real set, and a synthetic one that covers half of it and has outliers."""
    generator = torch.Generator().manual_seed(seed)
    real = torch.randn(60, 5, generator=generator)
    synthetic = torch.cat([torch.randn(40, 5, generator=generator) * 0.5, torch.randn(20, 5, generator=generator) + 8])
    return real, synthetic


def share_inside(queries, manifold, neighbours):
    """Of the queries in a ball around any point, which reaches to its k-th neighbour. Point after point."""
    distances = np.sort(np.linalg.norm(manifold[:, None] - manifold[None], axis=-1), 1)
    inside = [
        any(np.linalg.norm(query - point) <= row[neighbours] for point, row in zip(manifold, distances, strict=True))
        for query in queries
    ]
    return np.mean(inside)


@pytest.mark.parametrize('neighbours', [1, 3, 7])
def test_precision_and_recall_equal_a_slow_reference(neighbours):
    real, synthetic = clouds()
    result = precision_recall(real, synthetic, neighbours)
    x, y = real.double().numpy(), synthetic.double().numpy()
    assert result.precision == pytest.approx(share_inside(y, x, neighbours))
    assert result.recall == pytest.approx(share_inside(x, y, neighbours))
    assert 0 < result.recall < result.precision < 0.8


def test_precision_and_recall_in_one_dimension():
    """The third neighbour of 9 among 0..9 is 3 away, so 9 and 12 are inside its ball; 30 and 31 are in none."""
    real = torch.arange(10.0)[:, None]
    result = precision_recall(real, torch.tensor([[9.0], [12.0], [30.0], [31.0]]), 3)
    assert result.precision == 0.5
    assert result.recall == 1, 'the ball around 9 reaches 31, so it holds all real ones'
    assert precision_recall(real, real.clone()).precision == 1
    assert precision_recall(real, real + 100) == (0, 0)


def slow_score(logits):
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return np.exp((p * np.log(p / p.mean(0))).sum(1).mean())


def test_class_score():
    logits = torch.randn(120, 10, generator=torch.Generator().manual_seed(1)).double() * 3
    assert class_score(logits, 1).mean == pytest.approx(slow_score(logits.numpy()))
    order = torch.randperm(120, generator=torch.Generator().manual_seed(5))
    expected = [slow_score(part) for part in np.split(logits[order].numpy(), 4)]
    result = class_score(logits, 4, seed=5)
    assert result.mean == pytest.approx(np.mean(expected))
    assert result.std == pytest.approx(np.std(expected)) and (result.splits, result.count) == (4, 120)
    assert class_score(logits).splits == 2 and class_score(logits[:9]).splits == 1
    assert class_score(torch.eye(10) * 1000).mean == pytest.approx(10), 'sure and all different'
    assert class_score(torch.zeros(7, 10)).mean == pytest.approx(1)


def test_errors_of_coverage_and_scores():
    real, synthetic = clouds()
    with pytest.raises(ValueError, match=r'needs 61 images or more in each set.*got 60 and 60'):
        precision_recall(real, synthetic, 60)
    with pytest.raises(ValueError, match=r'got \(60, 5\) and \(60, 4\)'):
        precision_recall(real, synthetic[:, :4])
    with pytest.raises(ValueError, match=r'the 9 splits, got \(8, 3\)'):
        class_score(torch.zeros(8, 3), 9)
