import pickle
import random

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset, ConcatDataset, DefaultSampler, InfiniteSampler, RepeatDataset
from torch.utils.data import DataLoader

from mmseg_pfdiff.data.mix import SyntheticPairMix
from mmseg_pfdiff.data.samplers import FixedLengthSampler, MixSampler
from mmseg_pfdiff.engine.repeatable import NumberedIndex, SeededItems, number_samples, seed_process


class Noisy(BaseDataset):
    """Samples of an index and a number from each source of random numbers."""

    METAINFO = dict(classes=('a', 'b'))

    def __init__(self, size=6):
        self.size = size
        super().__init__(serialize_data=False)

    def load_data_list(self):
        return [{} for _ in range(self.size)]

    def __getitem__(self, index):
        return dict(drawn=(int(index), random.random(), float(np.random.rand()), float(torch.rand(()))))


def noisy_mix():
    return SyntheticPairMix(Noisy(3), Noisy(6), 1)


# Data sets, and samplers that go through them.
CASES = {
    'default': lambda: (Noisy(), DefaultSampler),
    'repeated': lambda: (RepeatDataset(Noisy(), 2), DefaultSampler),
    'joined': lambda: (ConcatDataset([Noisy(2), Noisy(4)]), DefaultSampler),
    'mixed': lambda: (noisy_mix(), DefaultSampler),
    'fixed length': lambda: (Noisy(), lambda dataset, seed: FixedLengthSampler(dataset, 10, seed)),
    'real share and finish': lambda: (noisy_mix(), lambda dataset, seed: MixSampler(dataset, 8, 0.5, 1, seed)),
}


def drawn(dataset, sampler, epochs, seed=1, rank=0, **settings):
    """The samples of some epochs, epoch by epoch."""
    loader = DataLoader(dataset, 3, sampler=sampler(dataset, seed=5), collate_fn=list, **settings)
    numbered = number_samples(loader, seed, rank)
    epochs_drawn = []
    for epoch in epochs:
        loader.sampler.set_epoch(epoch)
        numbered.begin(epoch)
        epochs_drawn.append([sample['drawn'] for batch in loader for sample in batch])
    return epochs_drawn


@pytest.mark.parametrize('case', CASES)
def test_an_epoch_comes_out_the_same_wherever_training_begins_and_whoever_draws(case):
    dataset, sampler = CASES[case]()
    whole = drawn(dataset, sampler, range(3))
    resumed = drawn(*CASES[case](), [2], num_workers=2)
    assert resumed == whole[2:]
    samples = [sample[1:] for epoch in whole for sample in epoch]
    assert len(set(samples)) == len(samples), 'an index that comes again is augmented anew'


def test_workers_that_stay_draw_as_new_ones_do():
    fork = drawn(Noisy(), DefaultSampler, range(3), num_workers=2, persistent_workers=True)
    assert fork == drawn(Noisy(), DefaultSampler, range(3), num_workers=1) == drawn(Noisy(), DefaultSampler, range(3))


def test_seeds_and_processes_draw_their_own():
    first = drawn(Noisy(), DefaultSampler, [0])
    for other in (drawn(Noisy(), DefaultSampler, [0], seed=2), drawn(Noisy(), DefaultSampler, [0], rank=1)):
        assert [sample[0] for sample in other[0]] == [sample[0] for sample in first[0]]
        assert not {sample[1] for sample in other[0]} & {sample[1] for sample in first[0]}


def test_an_endless_row_goes_on_in_its_middle():
    def batches(skipped, number):
        loader = DataLoader(Noisy(), 4, sampler=InfiniteSampler(Noisy(), seed=5), collate_fn=list)
        numbered = number_samples(loader, 1, 0)
        loader.sampler.skip(4 * skipped)
        numbered.begin(0, 4 * skipped)
        rows = iter(loader)
        return [[sample['drawn'] for sample in next(rows)] for _ in range(number)]

    assert batches(2, 3) == batches(0, 5)[2:]


def test_a_data_set_that_is_sent_to_a_spawned_worker_seeds_there():
    dataset = RepeatDataset(Noisy(), 2)
    dataset.__getitems__ = SeededItems(dataset, 1, 0)
    index = NumberedIndex(7)
    index.epoch, index.place = 2, 3
    there, indices = pickle.loads(pickle.dumps((dataset, [index])))
    assert indices == [7] and (indices[0].epoch, indices[0].place) == (2, 3)
    assert there.__getitems__(indices) == dataset.__getitems__([index]) != dataset.__getitems__([NumberedIndex(7)])


def test_what_has_no_indices_is_left_as_it_is():
    assert number_samples(DataLoader([1, 2, 3], 2), 0, 0) is None
    assert number_samples(DataLoader(Noisy(), None), 0, 0) is None
    batches = DataLoader(Noisy(), batch_sampler=[[1, 0], [2]], collate_fn=list)
    assert number_samples(batches, 0, 0) is None
    assert [sample['drawn'][0] for batch in batches for sample in batch] == [1, 0, 2]


def test_lists_of_numbers_seed_streams_of_their_own():
    def draw(*numbers):
        seed_process(*numbers)
        return random.random(), np.random.rand(), torch.rand(()).item()

    lists = [(1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1), (1, 0, 2)]
    for column in zip(*(draw(*numbers) for numbers in lists), strict=True):
        assert len(set(column)) == len(lists)
    assert draw(1, 0, 1) == draw(1, 0, 1)
