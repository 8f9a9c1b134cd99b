import numpy as np
import pytest
from scipy import ndimage, stats

from mmseg_pfdiff.metrics.microstructure import (
    describe_tiles,
    difference_records,
    resampled_structures,
    set_structure,
    structure_differences,
)
from mmseg_pfdiff.phases.descriptors import chord_lengths, component_sizes, interface_density, two_point_correlation


def smooth_labels(number, sigma=2.0, seed=0, side=32):
    """Maps of three phases; `sigma` sets the size of their regions."""
    scores = np.random.default_rng(seed).normal(size=(number, 3, side, side))
    return ndimage.gaussian_filter(scores, (0, 0, sigma, sigma), mode='wrap').argmax(1).astype(np.uint8)


@pytest.fixture(scope='module')
def labels():
    maps = smooth_labels(40)
    maps[3, :10] = 255
    return maps


def test_a_set_is_described_by_all_its_tiles(labels):
    result = set_structure(describe_tiles(labels, 3))
    correlation = two_point_correlation(labels, 3)
    assert result.correlation == pytest.approx(correlation.mean(0))
    fractions = correlation[..., :1]
    scaled = (correlation - fractions**2).sum(0) / (fractions - fractions**2).sum(0)
    assert result.scaled == pytest.approx(scaled) and result.scaled[..., 0] == pytest.approx(np.ones((3, 2)))
    chords = chord_lengths(labels, 3).sum(0)
    lengths = np.repeat(np.arange(32), chords[1, 0])
    assert result.mean_chord[1, 0] == pytest.approx(lengths.mean())
    assert result.chords[1, 0, 5] == pytest.approx((lengths <= 5).mean())
    assert result.interface == pytest.approx(interface_density(labels, 3).mean(0))
    sizes = component_sizes(labels, 3)
    areas = sizes.area[sizes.phase == 2]
    assert result.mean_area[2] == pytest.approx(areas.mean())
    assert result.density[2] == pytest.approx(1e4 * len(areas) / (labels != 255).sum())
    for n in (0, 5, 12):  # bins end at 2 ** 0.5, 2 ** 3 and 2 ** 6.5 pixels
        assert result.components[2, n] == pytest.approx((areas < 2 ** (0.5 * (n + 1)) - 1e-9).mean())


def test_weights_count_tiles_several_times(labels):
    tiles = describe_tiles(labels[:5], 3)
    weighted = set_structure(tiles, np.array([2, 0, 1, 1, 0]))
    repeated = set_structure(describe_tiles(labels[[0, 0, 2, 3]], 3))
    for item, other in zip(weighted, repeated, strict=True):
        assert item == pytest.approx(other, nan_ok=True)


def test_differences_of_known_sets(labels):
    result = set_structure(describe_tiles(labels, 3))
    other = set_structure(describe_tiles(smooth_labels(40, 3.0, 1), 3))
    same = structure_differences(result, result)
    assert all(values == pytest.approx(np.zeros(3)) for values in same.values())
    differences = structure_differences(other, result)
    chords = [chord_lengths(maps, 3).sum(0) for maps in (labels, smooth_labels(40, 3.0, 1))]
    expected = [stats.wasserstein_distance(range(32), range(32), *(c[0, way] for c in chords)) for way in (0, 1)]
    assert differences['chord lengths, pixels'][0] == pytest.approx(np.mean(expected))
    assert differences['interface density, %'] == pytest.approx(100 * np.abs(other.interface / result.interface - 1))


def test_coarser_structures_are_beyond_the_spread_of_real_ones_and_other_real_ones_are_not(labels):
    tiles = describe_tiles(labels, 3)
    owners = [str(n // 2) for n in range(40)]
    drawn = resampled_structures(tiles, owners, 60, seed=1)
    coarse, fresh = (describe_tiles(smooth_labels(40, sigma, 7), 3) for sigma in (4.0, 2.0))
    titles = dict(train='real', val='other', pairs='synthetic')
    for made, beyond in ((coarse, 'yes'), (fresh, 'no')):
        sets = {'train': set_structure(tiles), 'val': set_structure(tiles), 'pairs': set_structure(made)}
        records = difference_records(sets, 'train', 'pairs', drawn, titles, 'abc')
        measures = {'scaled autocovariance, x 100', 'chord lengths, pixels', 'interface density, %'}
        answers = [item['beyond'] for item in records if item['difference of'] in measures]
        assert len(records) == 15 and answers.count(beyond) > 7, records
        assert all(item['other'] == pytest.approx(0) for item in records)


def test_whole_micrographs_are_resampled(labels):
    tiles = describe_tiles(labels[:6], 3)
    drawn = resampled_structures(tiles, list('aaabbb'), 30)
    halves = [set_structure(describe_tiles(labels[part], 3)).interface for part in (np.s_[:3], np.s_[3:6])]
    possible = [halves[0], halves[1], (halves[0] + halves[1]) / 2]
    for item in drawn:
        assert any(item.interface == pytest.approx(values) for values in possible)
    alone = resampled_structures(tiles, ['a'] * 6, 30)
    assert np.std([item.interface for item in alone], 0).min() > 0, 'of a single micrograph, tiles are drawn'


def test_a_phase_that_is_absent_has_no_values(labels):
    result = set_structure(describe_tiles(np.where(labels == 2, 1, labels), 3))
    assert np.isnan(result.scaled[2]).all() and np.isnan(result.chords[2]).all() and np.isnan(result.mean_area[2])
    assert result.correlation[2].max() == 0 and result.interface[2] == 0 and result.density[2] == 0
