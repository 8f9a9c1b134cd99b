from collections import Counter

import pytest
from mmseg.registry import DATA_SAMPLERS, DATASETS

from mmseg_pfdiff.data.samplers import RealFinishSampler


@pytest.fixture
def mix(real, synthetic):
    return DATASETS.build(dict(type='SyntheticPairMix', real=real, synthetic=synthetic, ratio=2))


def epoch(sampler, number):
    sampler.set_epoch(number)
    return list(sampler)


def test_the_last_epochs_are_of_real_samples_alone(mix):
    config = dict(type='RealFinishSampler', length=3, start=3, seed=5)
    sampler = DATA_SAMPLERS.build(config, default_args=dict(dataset=mix))
    mixed = [index for n in range(3) for index in epoch(sampler, n)]
    # Three epochs of three are one pass of the nine samples of the mix.
    assert Counter(mixed) == dict.fromkeys(range(9), 1)
    for n in (3, 4, 5):
        assert sorted(epoch(sampler, n)) == [0, 1, 2] and len(sampler) == 3
        assert not any(mix.get_data_info(index)['synthetic'] for index in sampler)
    assert [index for n in range(3) for index in epoch(sampler, n)] == mixed


def test_resumed_in_its_last_epochs_it_draws_the_same(mix):
    whole = RealFinishSampler(mix, length=4, start=2, seed=5)
    epochs = [epoch(whole, n) for n in range(5)]
    assert epoch(RealFinishSampler(mix, length=4, start=2, seed=5), 4) == epochs[4]
    assert set(list(RealFinishSampler(mix, length=4, start=0, seed=5))) <= {0, 1, 2}


def test_errors(mix):
    with pytest.raises(ValueError, match='SyntheticPairMix, with start >= 0; got a range'):
        RealFinishSampler(range(4), length=2, start=1)
    with pytest.raises(ValueError, match='start=-1'):
        RealFinishSampler(mix, length=2, start=-1)
