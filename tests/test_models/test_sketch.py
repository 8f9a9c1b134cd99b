"""Sketches of label maps after the looks of tiles that are known."""

import pytest
import torch
from torch.nn import functional as F

from mmseg_pfdiff.models.gan.sketch import Sketcher, draw_sketches, measure_looks, phase_cover


def halves(n, side=32):
    """Label maps of two phases, left and right."""
    return (torch.arange(side) >= side // 2).long().expand(n, side, side)


def test_cover_is_the_part_of_each_low_pixel():
    labels = torch.tensor([[0, 0, 1, 255], [0, 2, 1, 1]])[None]
    cover = phase_cover(labels, 3, 2)
    assert torch.equal(cover[0, :, 0], torch.tensor([[0.75, 0], [0, 0.75], [0.25, 0]]))


def test_looks_are_grey_levels_contrasts_and_shading_of_each_phase():
    torch.manual_seed(0)
    labels, white = halves(2, 128), torch.randn(2, 1, 64, 64)
    cover = phase_cover(labels, 3, 2)
    greys, contrasts = torch.tensor([[-0.5], [0.0]]), torch.tensor([[0.05], [0.1]])
    low = greys[..., None, None] + contrasts[..., None, None] * white + 0.4 * cover[:, 1:2]
    looks = measure_looks(low, cover)
    assert looks.greys[:, 2].isnan().all() and looks.contrasts[:, 2].isnan().all()
    assert (looks.greys[:, :2] - torch.tensor([[-0.5, -0.1], [0.0, 0.4]])).abs().max() < 0.01
    assert (looks.contrasts[:, :2] - contrasts).abs().max() < 0.01
    assert looks.shading.shape == (2, 1, 4, 4) and looks.shading.abs().max() < 0.05


def test_what_changes_slowly_is_shading():
    ramp = torch.linspace(-0.5, 0.5, 64).expand(1, 1, 64, 64)
    looks = measure_looks(ramp, phase_cover(torch.zeros(1, 128, 128), 2, 2))
    assert looks.greys[0, 0].abs() < 1e-6
    assert torch.allclose(looks.shading[0, 0, 1], F.avg_pool2d(ramp, 16)[0, 0, 1])
    again = draw_sketches(phase_cover(torch.zeros(1, 128, 128), 2, 2), looks, torch.zeros(1, 1, 64, 64))
    # Between the middles of the cells; beyond them it stays as it is there.
    assert (again - ramp)[..., 8:56].abs().max() < 1e-5


def test_a_sketch_has_the_looks_it_is_drawn_after():
    torch.manual_seed(0)
    cover = phase_cover(halves(1, 128), 2, 2)
    low = 0.1 + 0.3 * cover[:, :1] + 0.08 * torch.randn(1, 1, 64, 64)
    looks = measure_looks(low, cover)
    again = measure_looks(draw_sketches(cover, looks, torch.randn(1, 1, 64, 64)), cover)
    for one, other in zip(looks, again, strict=True):
        assert (one - other).abs().max() < 0.03


def test_phases_that_a_tile_lacks_look_as_elsewhere_for_its_brightness():
    labels = torch.stack([halves(1)[0], torch.zeros(32, 32, dtype=torch.long), halves(1)[0]])
    cover = phase_cover(labels, 3, 2)
    low = torch.tensor([-0.4, 0.0, 0.2])[:, None, None, None] + 0.2 * cover[:, 1:2]
    sketcher = Sketcher(3, 16, num=3)
    sketcher.fit(low, cover)
    # The mean of -0.4 and 0.2 over their tiles' brightness is 0.1 for phase 1; tile 1 has a brightness of 0.
    assert torch.allclose(sketcher.greys[:, 1], torch.tensor([-0.2, 0.1, 0.4]), atol=1e-6)
    assert torch.allclose(sketcher.greys[:, 2], torch.tensor([-0.3, 0.0, 0.3]), atol=1e-6)  # in no tile
    assert sketcher.contrasts.abs().max() < 1e-5 and torch.equal(sketcher.fractions[1], torch.tensor([1.0, 0, 0]))
    with pytest.raises(ValueError, match=r'for 3 tiles .* got images of \(2, 1, 16, 16\)'):
        sketcher.fit(low[:2], cover[:2])


def test_label_maps_are_sketched_after_tiles_of_like_fractions():
    sketcher = Sketcher(2, 16, num=100)
    sketcher.fractions[:, 0] = torch.linspace(0, 1, 100)
    sketcher.fractions[:, 1] = 1 - sketcher.fractions[:, 0]
    asked = torch.tensor([[0.3, 0.7]]).expand(200, 2)
    tiles = sketcher.choose(asked, torch.linspace(0, 0.999, 200))
    assert len(tiles.unique()) == 20
    assert (sketcher.fractions[tiles, 0] - 0.3).abs().max() < 0.12
