import numpy as np
import pytest
import torch

from mmseg_pfdiff.metrics.spectra import (
    QUANTILES,
    ImageSpectra,
    image_spectra,
    ratio_records,
    resampled_powers,
    set_power,
)
from mmseg_pfdiff.spectrum import BANDS, radial_power

TITLES = dict(train='real', val='other', pairs='synthetic')


def noise(number, deviation=20.0, seed=0, side=32, roughen=1.0):
    """White noise as grey images; power of frequencies above 0.3 cycles a pixel is multiplied by `roughen`."""
    values = np.random.default_rng(seed).normal(0, deviation, (number, side, side))
    waves = np.fft.fft2(values)
    radius = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
    values = np.fft.ifft2(waves * np.where(radius > 0.3, roughen**0.5, 1)).real
    return torch.as_tensor((128 + values).round().clip(0, 255).astype(np.uint8))


def owners(number):
    return [str(n // 4) for n in range(number)]


def records_of(made, train):
    limits = np.quantile(resampled_powers(train, seed=1), QUANTILES, axis=0)
    powers = {'train': set_power(train), 'val': set_power(train), 'pairs': set_power(made)}
    return ratio_records(powers, 'train', 'pairs', limits, TITLES)


def test_white_noise_has_its_variance_in_every_band():
    images = noise(200)
    spectra = image_spectra(images, owners(200))
    # Rounding to whole grey levels adds a twelfth.
    assert set_power(spectra) == pytest.approx(np.full(BANDS, 400 + 1 / 12), rel=0.05)
    assert set_power(spectra) == pytest.approx(radial_power(images[:, None].float()).numpy(), rel=1e-5)
    assert spectra.powers.shape == (200, BANDS) and spectra.owners[4:6] == ['1', '1']
    assert spectra.powers[70] == pytest.approx(radial_power(images[70:71, None].float()).numpy(), rel=1e-5)
    weights = np.r_[2, 0, 1, np.zeros(197)]
    assert set_power(spectra, weights) == pytest.approx((2 * spectra.powers[0] + spectra.powers[2]) / 3)


def test_doubled_power_of_high_frequencies_is_beyond_the_spread_and_other_images_are_not():
    train = image_spectra(noise(80), owners(80))
    rough = records_of(image_spectra(noise(80, seed=1, roughen=2.0), owners(80)), train)
    assert [item['beyond'] for item in rough[6:]] == ['yes'] * 4
    assert [item['synthetic'] for item in rough[6:]] == pytest.approx([2] * 4, rel=0.06)
    assert [item['synthetic'] for item in rough[1:6]] == pytest.approx([1] * 5, rel=0.1)
    smooth = records_of(image_spectra(noise(80, seed=1, roughen=0.5), owners(80)), train)
    assert [item['beyond'] for item in smooth[6:]] == ['yes'] * 4
    for item in rough:
        assert item['real, resampled, 2.5 %'] < 1 < item['97.5 %'] and item['other'] == 1
    same = records_of(train, train)
    assert {item['beyond'] for item in same} == {'no'} and {item['synthetic'] for item in same} == {1.0}
    assert rough[0]['cycles/px'] == '0.00 to 0.05' and rough[0]['wavelength, px'] == '20.0 and more'
    assert rough[-1]['wavelength, px'] == '2.0 to 2.2'


def test_whole_micrographs_are_resampled():
    powers = np.array([[1.0] * BANDS, [3.0] * BANDS, [8.0] * BANDS])
    drawn = resampled_powers(ImageSpectra(powers, ['a', 'a', 'b']), 50)
    # Twice a, twice b, or each once: three tiles.
    assert set(drawn[:, 0].round(9)) == {2.0, 8.0, 4.0} and (drawn == drawn[:, :1]).all()
    alone = resampled_powers(ImageSpectra(powers, ['a'] * 3), 50)
    assert len(set(alone[:, 0].round(9))) > 3, 'of a single micrograph, tiles are drawn'


def test_what_cannot_be_said_is_a_dash():
    # 8 pixels have no wave of a frequency in the lowest two bands but that of the mean.
    small = records_of(image_spectra(noise(8, side=8), owners(8)), image_spectra(noise(8, side=8, seed=1), owners(8)))
    assert [item['beyond'] for item in small[:3]] == ['-', '-', small[2]['beyond']] and small[2]['beyond'] != '-'
    assert np.isnan(small[0]['synthetic']) and np.isnan(small[0]['97.5 %'])
    single = records_of(image_spectra(noise(8), owners(8)), image_spectra(noise(1), ['a']))
    assert {item['beyond'] for item in single} == {'-'}, 'a single tile has no spread'
    flat = torch.full((3, 32, 32), 128, dtype=torch.uint8)
    without = records_of(image_spectra(flat, ['a', 'b', 'c']), image_spectra(noise(80), owners(80)))
    assert {item['beyond'] for item in without} == {'yes'} and max(item['synthetic'] for item in without) < 1e-6
