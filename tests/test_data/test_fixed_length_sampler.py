from collections import Counter
from itertools import chain

import pytest

from mmseg_pfdiff.data.samplers import FixedLengthSampler


def epochs(sampler, number):
    for epoch in range(number):
        sampler.set_epoch(epoch)
        yield list(sampler)


def test_every_sample_comes_up_equally_often():
    drawn = list(epochs(FixedLengthSampler(range(7), 3, seed=1), 7))
    assert all(len(indices) == 3 for indices in drawn)
    assert Counter(chain.from_iterable(drawn)) == dict.fromkeys(range(7), 3)
    # Passes follow each other: the first seven draws are one of them.
    assert sorted(list(chain.from_iterable(drawn))[:7]) == list(range(7))


def test_longer_epochs_than_the_data_set():
    drawn = list(epochs(FixedLengthSampler(range(2), 5, seed=1), 2))
    assert Counter(chain.from_iterable(drawn)) == {0: 5, 1: 5}


def test_an_epoch_follows_from_seed_and_number_alone():
    whole = list(epochs(FixedLengthSampler(range(20), 8, seed=3), 4))
    resumed = FixedLengthSampler(range(20), 8, seed=3)
    resumed.set_epoch(3)
    assert list(resumed) == whole[3]
    assert next(epochs(FixedLengthSampler(range(20), 8, seed=4), 1)) != whole[0]


def test_two_processes_share_an_epoch_and_draw_as_many(monkeypatch):
    shares = []
    for rank in (0, 1):
        monkeypatch.setattr('mmseg_pfdiff.data.samplers.get_dist_info', lambda rank=rank: (rank, 2))
        shares.append(next(epochs(FixedLengthSampler(range(20), 7, seed=3), 1)))
        assert len(FixedLengthSampler(range(20), 7, seed=3)) == len(shares[-1]) == 4
    monkeypatch.undo()
    alone = next(epochs(FixedLengthSampler(range(20), 8, seed=3), 1))
    assert shares[0] + shares[1] == alone


def test_a_seed_may_be_set_later():
    sampler, other = FixedLengthSampler(range(20), 8, seed=3), FixedLengthSampler(range(20), 8, seed=4)
    list(sampler)
    sampler.seed = 4
    assert list(epochs(sampler, 3)) == list(epochs(other, 3))


def test_errors():
    for length, data in ((0, range(3)), (3, range(0))):
        with pytest.raises(ValueError, match='length >= 1'):
            FixedLengthSampler(data, length)
