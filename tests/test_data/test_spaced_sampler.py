import pytest

from mmseg_pfdiff.data.samplers import SpacedSampler


def test_indices_are_spread_and_always_the_same():
    sampler = SpacedSampler(range(101), num=5)
    assert list(sampler) == list(sampler) == [0, 25, 50, 75, 100]
    assert len(sampler) == 5


def test_a_small_data_set_is_taken_whole():
    assert list(SpacedSampler(range(3), num=16)) == [0, 1, 2]


@pytest.mark.parametrize('arguments', [dict(num=0), dict(shuffle=True)])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match='num >= 1 and shuffle=False'):
        SpacedSampler(range(3), **arguments)
