from collections import Counter
from itertools import chain

import pytest
from mmseg.registry import DATA_SAMPLERS, DATASETS

from mmseg_pfdiff.data.samplers import FixedLengthSampler, MixSampler


@pytest.fixture
def mix(real, synthetic):
    return DATASETS.build(dict(type='SyntheticPairMix', real=real, synthetic=synthetic, ratio=2))


def epoch(sampler, number):
    sampler.set_epoch(number)
    return list(sampler)


def test_without_a_share_the_whole_mix_is_shuffled_together(mix):
    plain, sampler = FixedLengthSampler(mix, 4, seed=5), MixSampler(mix, 4, seed=5)
    assert [epoch(sampler, n) for n in range(5)] == [epoch(plain, n) for n in range(5)]


@pytest.mark.parametrize('share', [0, 0.2, 0.5, 0.75, 1])
def test_every_stretch_has_its_share_of_real_samples(mix, share):
    sampler = MixSampler(mix, length=20, real_share=share, seed=5)
    drawn = list(chain.from_iterable(epoch(sampler, n) for n in range(6)))
    real = [index < 3 for index in drawn]
    assert sum(real) == 120 * share
    for start in range(100):
        assert abs(sum(real[start : start + 20]) - 20 * share) <= 1
    # Each kind goes through its samples again and again.
    counts = Counter(drawn)
    for members in (range(3), range(3, 9)):
        times = [counts[index] for index in members]
        assert max(times) - min(times) <= 1


def test_the_last_epochs_are_of_real_samples_alone(mix):
    config = dict(type='MixSampler', length=3, real_from=3, seed=5)
    sampler = DATA_SAMPLERS.build(config, default_args=dict(dataset=mix))
    mixed = [index for n in range(3) for index in epoch(sampler, n)]
    # Three epochs of three are one pass of the nine samples of the mix.
    assert Counter(mixed) == dict.fromkeys(range(9), 1)
    for n in (3, 4, 5):
        assert sorted(epoch(sampler, n)) == [0, 1, 2] and len(sampler) == 3
        assert not any(mix.get_data_info(index)['synthetic'] for index in sampler)
    assert [index for n in range(3) for index in epoch(sampler, n)] == mixed


@pytest.mark.parametrize('share', [None, 0.5])
def test_resumed_it_draws_the_same(mix, share):
    settings = dict(length=4, real_share=share, real_from=3, seed=5)
    whole = MixSampler(mix, **settings)
    epochs = [epoch(whole, n) for n in range(5)]
    for n in (2, 4):
        assert epoch(MixSampler(mix, **settings), n) == epochs[n]
    other = MixSampler(mix, **settings | dict(seed=6))
    assert epoch(other, 1) != epochs[1]
    other.seed = 5
    assert epoch(other, 1) == epochs[1]


def test_two_processes_share_an_epoch(mix, monkeypatch):
    shares = []
    for rank in (0, 1):
        monkeypatch.setattr('mmseg_pfdiff.data.samplers.get_dist_info', lambda rank=rank: (rank, 2))
        shares.append(epoch(MixSampler(mix, length=8, real_share=0.25, seed=3), 1))
    monkeypatch.undo()
    alone = epoch(MixSampler(mix, length=8, real_share=0.25, seed=3), 1)
    assert shares[0] + shares[1] == alone
    assert all(sum(index < 3 for index in share) == 1 for share in shares)


def test_errors(mix, real):
    with pytest.raises(ValueError, match=r'SyntheticPairMix with a ratio of at least 1, got a range\. Take'):
        MixSampler(range(4), length=2)
    with pytest.raises(ValueError, match='got a SyntheticPairMix of ratio 0'):
        MixSampler(DATASETS.build(dict(type='SyntheticPairMix', real=real, synthetic=None, ratio=0)), length=2)
    for settings in (dict(real_share=1.5), dict(real_from=-1)):
        with pytest.raises(ValueError, match=r'real_share in \[0, 1\] or None, and real_from >= 0'):
            MixSampler(mix, length=2, **settings)
