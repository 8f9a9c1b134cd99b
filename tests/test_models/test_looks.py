"""Looks of tiles whose grey levels, textures and shading are known."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.nn import functional as F

from mmseg_pfdiff.models.gan.looks import (
    TEXTURES,
    LookBank,
    bands,
    draw_sketches,
    measure_looks,
    measure_textures,
    phase_cover,
    spread,
)


def halves(n, side=64):
    """Label maps of two phases, left and right."""
    return (torch.arange(side) >= side // 2).long().expand(n, side, side)


def test_cover_is_the_part_of_each_block():
    labels = torch.tensor([[0, 0, 1, 255], [0, 2, 1, 1]])[None]
    cover = phase_cover(labels, 3, 2)
    assert torch.equal(cover[0, :, 0], torch.tensor([[0.75, 0], [0, 0.75], [0.25, 0]]))
    values = torch.tensor([[[1.0, 10], [2, 20], [torch.nan, torch.nan]]])
    assert torch.equal(spread(values, cover)[0, :, 0], torch.tensor([[0.75, 1.5], [7.5, 15]]))


def test_bands_are_differences_of_means_over_squares():
    torch.manual_seed(0)
    image = torch.randn(1, 1, 30, 40)
    parts = bands(image)
    assert torch.allclose(parts.sum(1, keepdim=True), image - image.mean(), atol=1e-5)
    once = ndimage.uniform_filter(image[0, 0].numpy(), 3, mode='mirror')
    twice = ndimage.uniform_filter(once, 5, mode='mirror')
    assert np.allclose(parts[0, 0], image[0, 0].numpy() - once, atol=1e-5)
    assert np.allclose(parts[0, 1], once - twice, atol=1e-5)


def test_textures_are_moments_of_the_bands_over_each_phase():
    torch.manual_seed(0)
    images, labels = 0.2 * torch.randn(2, 1, 64, 64).exp(), halves(2)
    measured = measure_textures(images, phase_cover(labels, 3))
    assert measured.shape == (2, 3, 12) and measured[:, 2].isnan().all()
    parts = bands(images)
    for k, half in ((0, slice(0, 32)), (1, slice(32, 64))):
        values = parts[1, :, :, half].flatten(1)
        rest = values - values.mean(1, keepdim=True)
        expected = [values.mean(1), rest.square().mean(1).sqrt(), torch.as_tensor(np.cbrt((rest**3).mean(1).numpy()))]
        assert torch.allclose(measured[1, k], torch.cat(expected), atol=1e-4)


def test_a_sketch_has_grey_levels_and_shading_of_the_tile_and_nothing_else():
    torch.manual_seed(0)
    drift = torch.linspace(-0.2, 0.2, 128)[:, None]
    labels = halves(1, 128)
    images = (drift + 0.5 * labels - 0.3 + 0.05 * torch.randn(128, 128))[:, None]
    looks = measure_looks(images, labels, 3, 2)
    assert (looks.greys[0, :2] - torch.tensor([-0.3, 0.2])).abs().max() < 0.01 and looks.greys[0, 2].isnan()
    assert looks.shading.shape == (1, 1, 4, 4)
    sketch = draw_sketches(phase_cover(labels, 3, 2), looks)
    expected = F.avg_pool2d((drift + 0.5 * labels - 0.3)[:, None], 2)
    # Between the middles of the cells; beyond them the shading stays as it is there.
    assert (sketch - expected)[:, :, 8:56].abs().max() < 0.03


def test_what_a_tile_lacks_looks_as_in_the_others_for_its_brightness():
    labels = torch.stack([halves(1, 32)[0], torch.zeros(32, 32, dtype=torch.long), halves(1, 32)[0]])
    images = (torch.tensor([-0.4, 0.0, 0.2])[:, None, None] + 0.2 * labels)[:, None]
    bank = LookBank(3, 16, num=3)
    bank.fit(images, labels, 2)
    # Phase 1 is 0.1 above the brightness of both tiles that have it; tile 1 has a brightness of 0.
    assert torch.allclose(bank.greys[:, 1], torch.tensor([-0.2, 0.1, 0.4]), atol=1e-6)
    assert torch.allclose(bank.greys[:, 2], torch.tensor([-0.3, 0.0, 0.3]), atol=1e-6)  # in no tile
    assert torch.allclose(bank.textures[1, 1], bank.textures[[0, 2], 1].mean(0), atol=1e-6)
    assert torch.equal(bank.fractions[1], torch.tensor([1.0, 0, 0])) and not bank.textures[:, 2].any()
    for part, other in zip(bank(torch.tensor([2])), (bank.greys, bank.textures, bank.shading), strict=True):
        assert torch.equal(part, other[2:])
    told = bank.normalised(bank.textures)
    assert told[:, :2].mean(0).abs().max() < 1e-4 and told.abs().max() <= 3
    assert not bank.normalised(torch.full((1, 3, TEXTURES), torch.nan)).any()
    with pytest.raises(ValueError, match=r'those of 3 tiles .* got images of \(2, 1, 32, 32\)'):
        bank.fit(images[:2], labels[:2], 2)


def test_label_maps_get_the_looks_of_tiles_of_like_fractions():
    bank = LookBank(2, 16, num=100)
    bank.fractions[:, 0] = torch.linspace(0, 1, 100)
    bank.fractions[:, 1] = 1 - bank.fractions[:, 0]
    tiles = bank.choose(torch.tensor([[0.3, 0.7]]).expand(200, 2), torch.linspace(0, 0.999, 200))
    assert len(tiles.unique()) == 20
    assert (bank.fractions[tiles, 0] - 0.3).abs().max() < 0.12
