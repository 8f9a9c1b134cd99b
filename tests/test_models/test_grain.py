import pytest
import torch
from scipy import ndimage

from mmseg_pfdiff.models.gan.grain import Grain, diagonal_details, measure_noise


def test_details_of_one_step_of_the_haar_transform():
    details, means = diagonal_details(torch.tensor([[1.0, 2, 9], [3, 8, 9], [9, 9, 9]]))
    assert details.tolist() == [[(1 - 2 - 3 + 8) / 2]] and means.tolist() == [[3.5]]


@pytest.mark.parametrize('sigma', [2.0, 10.0])
def test_the_noise_of_a_field_is_found_beside_its_structure(sigma):
    generator = torch.Generator().manual_seed(0)
    field = ndimage.gaussian_filter(torch.randn(256, 256, generator=generator).numpy(), 6)
    smooth = 128 + 40 * torch.from_numpy(field / field.std()).clamp(-2, 2).float()
    smooth[:, 100:104] = 250  # an edge
    greys, deviations = measure_noise(smooth + sigma * torch.randn(256, 256, generator=generator))
    assert deviations.tolist() == pytest.approx([sigma] * 3, rel=0.1)
    assert (greys.diff() > 0).all()


def test_noise_that_grows_with_the_grey_level():
    generator = torch.Generator().manual_seed(0)
    smooth = torch.linspace(40, 200, 240)[:, None].expand(240, 200)
    _, deviations = measure_noise(smooth + smooth / 20 * torch.randn(240, 200, generator=generator))
    # Of the three parts, the mean grey levels are 67, 120 and 173.
    assert deviations.tolist() == pytest.approx([67 / 20, 120 / 20, 173 / 20], rel=0.1)


def test_what_was_measured_is_drawn():
    generator = torch.Generator().manual_seed(0)
    smooth = torch.linspace(40, 200, 128)[:, None].expand(2, 128, 128).clone()
    sigmas = torch.tensor([4.0, 8.0])
    tiles = smooth + sigmas[:, None, None] * torch.randn(2, 128, 128, generator=generator)
    grain = Grain(num=2)
    grain.fit(tiles, torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 1, 4, 4))
    images = smooth[:, None] / 127.5 - 1
    drawn = grain(images, torch.randn(2, 1, 128, 128, generator=generator), torch.tensor([0, 1]))
    assert ((drawn - images) * 127.5).std((1, 2, 3)).tolist() == pytest.approx(sigmas.tolist(), rel=0.1)


def test_between_grey_levels_by_straight_lines_and_level_beyond_them():
    grain = Grain(num=1)
    grain.greys.copy_(torch.tensor([[50.0, 100.0, 200.0]]))
    grain.deviations.copy_(torch.tensor([[2.0, 4.0, 8.0]]))
    values = torch.tensor([0.0, 50, 75, 100, 150, 200, 255])
    images = (values / 127.5 - 1)[None, None, None]
    drawn = grain(images, torch.ones_like(images), torch.tensor([0]))
    assert ((drawn - images) * 127.5).flatten().tolist() == pytest.approx([2, 2, 3, 4, 6, 8, 8], rel=1e-4)


def test_an_image_gets_the_grain_of_a_tile_that_looks_like_it():
    low = torch.randn(40, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.1
    low += torch.linspace(-0.5, 0.5, 40)[:, None, None, None]
    grain = Grain(num=40)
    grain.fit(torch.zeros(40, 16, 16), low)
    chosen = grain.choose(low[[3, 20, 36]].expand(3, 1, 8, 8), torch.tensor([0.0, 0.5, 0.99]))
    assert chosen[0] == 3  # the first of the nearest is itself
    assert (low[chosen].mean((1, 2, 3)) - low[[3, 20, 36]].mean((1, 2, 3))).abs().max() < 0.15


def test_without_a_measurement_there_is_no_grain():
    images = torch.rand(2, 1, 8, 8)
    assert torch.equal(Grain()(images, torch.randn(2, 1, 8, 8), torch.tensor([0, 1])), images)


def test_too_few_or_small_tiles_are_refused():
    with pytest.raises(ValueError, match=r'measured on 3 tiles of at least 8x8 pixels, got \(2, 16, 16\)'):
        Grain(num=3).fit(torch.zeros(2, 16, 16), torch.zeros(2, 1, 8, 8))
    with pytest.raises(ValueError, match=r'got \(3, 4, 16\)'):
        Grain(num=3).fit(torch.zeros(3, 4, 16), torch.zeros(3, 1, 2, 8))
