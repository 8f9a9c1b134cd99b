import numpy as np
import pytest
import torch

from mmseg_pfdiff.spectrum import BANDS, image_powers, radial_bands, radial_power, spectrum_distance


def test_power_by_a_slow_plain_sum():
    images = torch.randn(3, 1, 12, 10, generator=torch.Generator().manual_seed(0))
    slow = np.zeros(BANDS)
    members = np.zeros(BANDS)
    for y in range(12):
        for x in range(6):
            radius = np.hypot(min(y, 12 - y) / 12, x / 10)
            k = int(np.ceil(radius * 2 * BANDS)) - 1
            if 0 <= k < BANDS:
                wave = np.exp(-2j * np.pi * (y * np.arange(12)[:, None] / 12 + x * np.arange(10) / 10))
                slow[k] += np.mean([abs((image[0].numpy() * wave).sum()) ** 2 / 120 for image in images])
                members[k] += 1
    assert radial_power(images).tolist() == pytest.approx((slow / members.clip(1)).tolist(), rel=1e-4)


def test_power_of_a_set_is_the_mean_of_its_images():
    images = torch.randn(3, 1, 12, 10, generator=torch.Generator().manual_seed(0))
    powers = image_powers(images)
    assert powers.shape == (3, BANDS) and torch.allclose(powers.mean(0), radial_power(images))
    assert torch.allclose(powers[1], radial_power(images[1:2]))


def test_white_noise_has_its_variance_in_every_band_and_a_constant_has_none():
    white = 3 * torch.randn(50, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    assert radial_power(white).tolist() == pytest.approx([9] * BANDS, rel=0.1)
    assert radial_power(torch.full((1, 1, 16, 16), 5.0)).max() < 1e-6


def test_a_wave_is_in_the_band_of_its_frequency():
    wave = torch.cos(2 * torch.pi * 0.22 * torch.arange(100)).expand(1, 1, 100, 100)
    assert radial_power(wave).argmax() == 4 and radial_bands(100, 100)[0, 22] == 4


def test_half_precision_changes_nothing():
    images = 0.01 * torch.randn(4, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.autocast('cpu', torch.float16):
        half = radial_power(images)
    assert half.dtype == torch.float32 and torch.equal(half, radial_power(images))


def test_distance_of_two_sets():
    images = torch.randn(4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    assert spectrum_distance(images, images) == 0
    assert spectrum_distance(2 * images, images).item() == pytest.approx(np.log(4), rel=1e-4)
    # Crops of a few pixels have no coefficient in the lowest bands, flat images no power at all.
    assert spectrum_distance(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)) == 0
    assert spectrum_distance(torch.zeros(1, 1, 8, 8), images[:, :, :8, :8]).isfinite()
