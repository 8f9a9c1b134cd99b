import numpy as np
import pytest
import torch
from scipy import ndimage

from mmseg_pfdiff.phases.components import remove_specks


def slowly_cleaned(labels, min_area, ignore=255):
    """By scipy's components and dilations, speck after speck."""
    labels = labels.copy()
    square = np.ones((3, 3), int)
    specks, large = [], np.zeros(labels.shape, bool)
    for k in set(np.unique(labels)) - {ignore}:
        numbers, count = ndimage.label(labels == k, square)
        for i in range(1, count + 1):
            mask = numbers == i
            if mask.sum() < min_area:
                specks.append(mask)
            else:
                large |= mask
    while True:
        filled = []
        for mask in specks:
            around = ndimage.binary_dilation(mask, square) & ~mask & large
            if around.any():
                filled.append((mask, np.bincount(labels[around]).argmax()))
        if not filled:
            return labels
        for mask, k in filled:
            labels[mask] = k
            large |= mask
        done = [id(mask) for mask, _ in filled]
        specks = [mask for mask in specks if id(mask) not in done]


def blobs(seed, shape=(40, 52), noise=0.05):
    """Smooth regions with stray pixels and ignored ones."""
    rng = np.random.default_rng(seed)
    fields = [ndimage.gaussian_filter(rng.standard_normal(shape), 3) for _ in range(4)]
    labels = np.argmax(fields, 0)
    labels = np.where(rng.random(shape) < noise, rng.integers(0, 4, shape), labels)
    labels[rng.random(shape) < 0.02] = 255
    return labels.astype(np.uint8)


@pytest.mark.parametrize('noise', [0.05, 0.4, 1.0])
@pytest.mark.parametrize('min_area', [0, 2, 6, 25])
def test_equals_the_slow_reference(noise, min_area):
    maps = np.stack([blobs(seed, noise=noise) for seed in range(4)])
    cleaned, changed = remove_specks(torch.as_tensor(maps), min_area)
    assert cleaned.dtype == torch.uint8
    for before, after in zip(maps, cleaned.numpy(), strict=True):
        assert (after == slowly_cleaned(before, min_area)).all()
        assert ((before == 255) == (after == 255)).all()
    assert torch.equal(changed, cleaned != torch.as_tensor(maps))
    assert changed.any() == (min_area > 1)
    again = remove_specks(cleaned, min_area)
    if noise == 0.05:
        assert not again.changed.any(), 'nothing is left to clean'


@pytest.mark.parametrize('turns', [1, 2, 3])
def test_turns_with_the_map(turns):
    labels = torch.as_tensor(blobs(0, noise=0.3))
    turned = remove_specks(labels.rot90(turns), 8).labels
    assert torch.equal(turned, remove_specks(labels, 8).labels.rot90(turns))


def test_a_diagonal_film_stays_and_a_stray_pixel_goes():
    labels = torch.zeros(12, 12, dtype=torch.int64)
    labels[range(10), range(10)] = 2
    labels[2, 8] = 3
    cleaned, changed = remove_specks(labels, 5)
    assert (cleaned == 2).sum() == 10 and changed.nonzero().tolist() == [[2, 8]]


def test_specks_inside_specks_take_the_class_around_both():
    labels = torch.zeros(9, 9, dtype=torch.uint8)
    labels[3:6, 3:6] = 1
    labels[4, 4] = 2
    assert not remove_specks(labels, 9).labels.any()


def test_ties_and_maps_without_large_components():
    halves = torch.tensor([[0, 0, 0, 1, 1, 1]] * 6, dtype=torch.uint8)
    halves[0, 2:4] = 2  # touches three pixels of either class
    assert (remove_specks(halves, 3).labels[0] == torch.tensor([0, 0, 0, 0, 1, 1])).all()
    checks = torch.arange(16).reshape(4, 4) % 7
    assert not remove_specks(checks, 100).changed.any()
    lonely = torch.full((5, 5), 255, dtype=torch.uint8)
    lonely[2, 2] = 1
    assert not remove_specks(lonely, 100).changed.any()
    assert remove_specks(torch.zeros(0, 4, 4, dtype=torch.uint8), 5).labels.shape == (0, 4, 4)


def test_errors():
    with pytest.raises(ValueError, match=r'integers, got \(2, 2\) torch.float32'):
        remove_specks(torch.zeros(2, 2), 3)
    with pytest.raises(ValueError, match='>= 0, got -1'):
        remove_specks(torch.zeros(2, 2, dtype=torch.uint8), -1)
