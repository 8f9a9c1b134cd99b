import pytest

from mmseg_pfdiff.windows import window_corners, window_offsets


def test_steps_end_at_the_border_and_even_ones_are_alike():
    assert window_offsets(703, 256, 128) == [0, 128, 256, 384, 447]
    assert window_offsets(703, 256, 128, even=True) == [0, 111, 223, 335, 447]


@pytest.mark.parametrize('even', [False, True])
def test_a_field_of_one_window(even):
    assert window_offsets(100, 256, 128, even=even) == window_offsets(256, 256, 128, even=even) == [0]


def test_corners_go_row_by_row():
    assert window_corners((48, 40), (32, 32), (16, 8)) == [(0, 0), (0, 8), (16, 0), (16, 8)]
