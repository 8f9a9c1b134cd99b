from itertools import pairwise

import pytest
import torch

from mmseg_pfdiff.models.diffusion.windows import (
    field_corners,
    predict_in_windows,
    seam_score,
    window_borders,
    window_weights,
)
from mmseg_pfdiff.windows import window_offsets


@pytest.mark.parametrize(('length', 'window'), [(16, 16), (17, 16), (40, 16), (352, 128), (512, 128)])
def test_windows_cover_the_side_and_overlap_by_half(length, window):
    offsets = window_offsets(length, window, window / 2, even=True)
    assert offsets[0] == 0 and offsets[-1] == length - window
    assert all(0 < b - a <= window / 2 for a, b in pairwise(offsets))


@pytest.mark.parametrize('window_batch', [1, 3, 100])
def test_a_prediction_by_pixel_comes_out_unchanged(window_batch):
    x = torch.randn(2, 3, 30, 41)
    got = predict_in_windows(lambda windows, corners: windows * 2 + 1, x, 16, window_batch)
    torch.testing.assert_close(got, x * 2 + 1, rtol=1e-5, atol=1e-5)


def test_overlapping_predictions_are_averaged_by_weight():
    x = torch.zeros(1, 1, 16, 24)
    seen = []

    def predict(windows, corners):
        seen.extend(corners)
        return torch.stack([torch.full((1, 16, 16), float(corner[1])) for corner in corners])

    got = predict_in_windows(predict, x, 16, 8)[0, 0]
    assert seen == field_corners(16, 24, 16) == [(0, 0), (0, 8)]
    weights = window_weights(16)
    expected = 8 * weights[3, 2] / (weights[3, 2] + weights[3, 10])
    assert got[3, 10].item() == pytest.approx(expected.item(), rel=1e-5)
    assert got[3, 2] == 0 and got[3, 20].item() == pytest.approx(8)


def test_window_batch_bounds_what_is_evaluated_at_once():
    sizes = []

    def predict(windows, corners):
        sizes.append(len(windows))
        return windows

    predict_in_windows(predict, torch.zeros(1, 1, 64, 64), 16, 4)
    assert max(sizes) == 4 and sum(sizes) == len(field_corners(64, 64, 16))


def test_seam_score_finds_seams():
    image = torch.randint(0, 50, (64, 64), generator=torch.Generator().manual_seed(0))
    rows, columns = window_borders(64, 32), window_borders(64, 32)
    assert rows == {16, 32, 48}
    assert seam_score(image, rows, columns) == pytest.approx(1, abs=0.1)
    seamed = image.clone()
    seamed[:, 32:] += 100
    assert seam_score(seamed, rows, columns) > 1.5
    assert seam_score(image, [], []) == 1
