import numpy as np
import pytest
import torch

from mmseg_pfdiff.reports import embedding
from mmseg_pfdiff.reports.embedding import embed, embedding_section, principal_components


def test_principal_components_equal_a_singular_value_decomposition():
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=(30, 4)) * [3, 1, 0.5, 0.1], rng.normal(size=(12, 4))
    places, shares = principal_components({'real': real, 'synthetic': synthetic}, 'real')
    _, values, axes = np.linalg.svd(real - real.mean(0))
    for name, vectors in (('real', real), ('synthetic', synthetic)):
        expected = (vectors - real.mean(0)) @ axes[:2].T
        assert np.abs(places[name]) == pytest.approx(np.abs(expected))
    assert shares == pytest.approx((values**2 / (values**2).sum())[:2])
    assert principal_components({'real': real[[0, 0]]}, 'real')[1] == [0, 0], 'no variance'
    with pytest.raises(ValueError, match='two vectors or more, got 1'):
        principal_components({'real': real[:1]}, 'real')


def test_maps_keep_clusters_apart_and_are_the_same_again():
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(size=(15, 40)), rng.normal(size=(15, 40)) + 6])
    for method in ('tsne', 'pca'):
        result = embed(features, method, seed=3)
        assert result.shape == (30, 2) and np.array_equal(result, embed(features, method, seed=3))
        centres = result[:15].mean(0), result[15:].mean(0)
        spread = max(result[:15].std(), result[15:].std())
        assert np.linalg.norm(centres[0] - centres[1]) > spread, method
    with pytest.raises(ValueError, match="got 'umap' and 30"):
        embed(features, 'umap')
    with pytest.raises(ValueError, match='3 vectors or more'):
        embed(features[:2])


def test_section_shows_at_most_so_many_points_of_a_set(monkeypatch):
    monkeypatch.setattr(embedding, 'MAX_POINTS', 6)
    generator = torch.Generator().manual_seed(0)
    features = {
        name: [torch.rand(n, 8, generator=generator) for _ in 'im']
        for name, n in (('train', 9), ('val', 4), ('pairs', 12), ('4 of the pairs', 4))
    }
    section = embedding_section(features, 'numbers', 'pca')
    assert '6 of 12 synthetic' in section.body[0] and '4 of 4 real, validation' in section.body[0]
    for kind in ('image', 'mask'):
        points = section.numbers['points'][kind]
        assert {name: len(result) for name, result in points.items()} == {'train': 6, 'val': 4, 'pairs': 6}
