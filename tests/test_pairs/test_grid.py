import numpy as np

from mmseg_pfdiff.pairs.grid import pair_grid

PALETTE = [[10, 20, 30], [40, 50, 60]]


def test_panels_stand_where_they_should_with_their_colours():
    image = np.array([[0, 200], [100, 50]], np.uint8)
    label = np.array([[0, 1], [255, 0]], np.uint8)
    picture = pair_grid([[image, label], [image[::-1], label]], PALETTE, enlarge=2)
    assert picture.dtype == np.uint8 and picture.shape == (2 * (4 + 4), 2 * (4 + 4), 3)
    assert picture[0, 2].tolist() == [200] * 3
    assert picture[0, 8].tolist() == [100] * 3
    assert picture[8, 0].tolist() == [10, 20, 30] and picture[8, 3].tolist() == [40, 50, 60]
    assert picture[10, 0].tolist() == [255] * 3, 'ignored pixels are white'


def test_captions_stand_above():
    image = np.zeros((32, 64), np.uint8)
    plain, captioned = (pair_grid([[image]], PALETTE, captions) for captions in (None, ['35 55 9 1']))
    assert captioned.shape[0] > plain.shape[0]
    assert (captioned[: captioned.shape[0] - plain.shape[0]] < 128).any()
