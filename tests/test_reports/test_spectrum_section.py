import numpy as np
import pytest

from mmseg_pfdiff.metrics.spectra import image_spectra
from mmseg_pfdiff.reports.spectrum_section import spectrum_section

from ..test_metrics.test_spectra import noise, owners


def test_numbers_and_words_of_the_section():
    made = dict(train=noise(40), test=noise(16, seed=1), pairs=noise(24, seed=2, roughen=2.0))
    spectra = {name: image_spectra(images, owners(len(images))) for name, images in made.items()}
    section = spectrum_section(spectra, 32, 2, seed=3)
    numbers = section.numbers
    assert section.name == 'spectrum' and section.title == 'Radial power spectrum of the images'
    assert numbers['images'] == dict(train=40, test=16, pairs=24) and numbers['scale'] == 2
    assert numbers['edges'] == pytest.approx([0.05 * n for n in range(11)])
    power, (low, high) = numbers['power'], np.array(numbers['training_resampled_95'])
    assert list(power) == ['train', 'test', 'pairs'] and power['train'] == pytest.approx([400] * 10, rel=0.15)
    assert (low < power['train']).all() and (high > power['train']).all()
    for k, record in enumerate(numbers['ratios']):
        assert record['synthetic'] == pytest.approx(power['pairs'][k] / power['train'][k])
        assert record['real, test'] == pytest.approx(power['test'][k] / power['train'][k])
        assert record['97.5 %'] == pytest.approx(high[k] / power['train'][k])
        assert record['beyond'] == ('no' if low[k] <= power['pairs'][k] <= high[k] else 'yes')
    assert [record['beyond'] for record in numbers['ratios'][6:]] == ['yes'] * 4
    text = ' '.join(section.body)
    assert '40 real, training, 16 real, test, 24 synthetic' in text and 'a pixel is 2 of the micrograph' in text


@pytest.mark.filterwarnings('error')
def test_tiny_images_without_low_frequencies_are_plotted_too():
    for side in (8, 2, 1):
        spectra = {name: image_spectra(noise(4, side=side), owners(4)) for name in ('train', 'val', 'pairs')}
        records = spectrum_section(spectra, side, 1).numbers['ratios']
        assert records[0]['beyond'] == '-' and np.isnan(records[0]['synthetic'])
