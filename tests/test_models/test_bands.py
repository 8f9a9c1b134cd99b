"""Bands of rows against whole maps."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_pfdiff.models.segmentors.bands import join_bands, mean_bands, resize_bands


def cut_bands(image, rows):
    return image.split(rows, dim=2)


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('target', [(37, 29), (74, 58), (75, 57), (100, 29), (37, 60), (11, 9), (1, 1), (500, 3)])
@pytest.mark.parametrize('rows', [1, 5, 16, 37])
def test_resizing_by_bands_equals_resizing_the_whole(rows, target, align_corners):
    image = torch.randn(2, 3, 37, 29)
    expected = F.interpolate(image, target, mode='bilinear', align_corners=align_corners)
    bands = list(resize_bands(cut_bands(image, rows), (37, 29), target, align_corners=align_corners))
    # Positions are rounded to 4e-6 of a pixel at row 36, between neighbours that differ by up to seven.
    torch.testing.assert_close(torch.cat(bands, dim=2), expected, rtol=0, atol=5e-5)
    assert torch.equal(join_bands(bands, target[0]), torch.cat(bands, dim=2))


def test_bands_come_as_soon_as_no_window_can_touch_them():
    asked = []

    def windows():
        for y in (0, 2, 3):
            for x in (0, 2):
                asked.append(y)
                yield (y, x), torch.full((1, 1, 4, 4), float(y))

    bands = []
    for band in mean_bands(windows(), 6):
        bands.append((band.shape[2], asked[-1], (6 * band[0, 0, :, 0]).round().tolist()))
    # Rows, the window row that was asked for before they came, six times their means.
    assert bands == [(2, 2, [0, 0]), (1, 3, [6]), (4, 3, [10, 15, 15, 18])]


def test_no_windows_no_bands():
    assert list(mean_bands([], 6)) == []
