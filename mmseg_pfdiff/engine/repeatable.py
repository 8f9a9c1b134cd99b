"""Repeatable trainings: random numbers that follow from epoch and sample, so that an interruption changes nothing."""

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from mmengine.device import get_device
from mmengine.dist import broadcast_object_list
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch.utils.data import DataLoader, get_worker_info

# What random numbers are drawn for; without it, two lists of numbers that differ by a zero at the end would agree.
EPOCH, ITERATION, SAMPLE = 1, 2, 3


def seed_process(*numbers: int) -> None:
    """Seeds python's, numpy's and torch's random numbers in this process by a list of numbers.

    Args:
        *numbers: Each >= 0. Lists that differ give streams that have nothing to do with each other.
    """
    seed = int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)  # it takes 32 bits
    # `torch.manual_seed` also looks for GPUs, which takes longer than all else here; worker processes draw on the CPU.
    on_cpu = get_device() == 'cpu' or get_worker_info() is not None
    (torch.default_generator.manual_seed if on_cpu else torch.manual_seed)(seed)


class NumberedIndex(int):
    """An index into a data set that knows the epoch it is drawn in and its place there, both counted from 0."""

    epoch = 0
    place = 0


class NumberedSampler:
    """A sampler whose indices are numbered; all else is the sampler's own.

    Args:
        sampler: Yields indices.
    """

    def __init__(self, sampler: Iterable[int]) -> None:
        self.sampler = sampler
        self.begin(0)

    def begin(self, epoch: int, place: int = 0) -> None:
        """Says what the next index is drawn for.

        Args:
            epoch: Epoch.
            place: Its place there. It goes on from one pass over the sampler to the next.
        """
        self.epoch, self.place = epoch, place

    def __iter__(self) -> Iterator[NumberedIndex]:
        for index in self.sampler:
            numbered = NumberedIndex(index)
            numbered.epoch, numbered.place = self.epoch, self.place
            self.place += 1
            yield numbered

    def __len__(self) -> int:
        return len(self.sampler)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__['sampler'], name)


class SeededItems:
    """The method `__getitems__`, by which torch asks a data set for the samples of a batch: seeds before each of them.

    Args:
        dataset: Data set.
        seed: Of the training, >= 0.
        rank: Of the training process: each draws numbers of its own.
    """

    def __init__(self, dataset: Any, seed: int, rank: int) -> None:
        self.dataset, self.seed, self.rank = dataset, seed, rank

    def __call__(self, indices: Sequence[NumberedIndex]) -> list:
        """Samples, in order."""
        samples = []
        for index in indices:
            seed_process(SAMPLE, self.seed, self.rank, index.epoch, index.place)
            samples.append(self.dataset[index])
        return samples


def number_samples(loader: DataLoader, seed: int, rank: int) -> NumberedSampler | None:
    """Has each sample of a data loader drawn with random numbers of its own.

    It works in this process and in worker processes, which get the data set with all that is set here.

    Args:
        loader: Of training, not yet iterated. Changed in place.
        seed: Of the training, >= 0.
        rank: Of this process.

    Returns:
        The sampler, to be told of each epoch; None for a loader or data set without indices, which is left as it is.
    """
    try:
        numbered = NumberedSampler(loader.batch_sampler.sampler)
        # Of the instance: torch looks it up there first.
        loader.dataset.__getitems__ = SeededItems(loader.dataset, seed, rank)
    except AttributeError:  # a plain list as data set; a loader without batches, or without a sampler
        return None
    loader.batch_sampler.sampler = numbered
    return numbered


@HOOKS.register_module()
class RepeatableTrainingHook(Hook):
    """Has all random numbers of training follow from the seed of the run and from how far it has come.

    - Noise, time steps and dropout: seeded by (seed, process, iteration).
    - Augmentation of a sample: by (seed, process, epoch, place in the epoch), in worker processes too.
    - Order of the samples: the sampler's, from the seed of the run; of a resumed run that has no seed in its config,
      from the seed in the checkpoint, which mmengine reads only after it has built the sampler.

    With kernels that repeat themselves, as on a CPU, a resumed training ends with the very weights of an
    uninterrupted one.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Numbers the samples."""
        seed = [runner.seed]
        broadcast_object_list(seed)  # with `diff_rank_seed` each process has its own, and the order must be common
        self.seed = int(seed[0])
        loop = runner.train_loop
        loader = loop.dataloader
        # A seed that the config gives to the sampler is its own.
        if hasattr(loader.sampler, 'seed') and _sampler_settings(runner).get('seed') is None:
            loader.sampler.seed = self.seed
        self.samples = number_samples(loader, self.seed, runner.rank)
        if self.samples is None:
            runner.logger.warning('Samples without an index are not augmented as in an uninterrupted training.')
        elif _by_iterations(runner):
            self.samples.begin(0, _skipped(runner))
            restart_iterator(loop)

    def before_train_epoch(self, runner: Runner) -> None:
        """Says which epoch it is."""
        seed_process(EPOCH, self.seed, runner.rank, runner.epoch)
        if self.samples is not None and not _by_iterations(runner):
            self.samples.begin(runner.epoch)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Seeds."""
        seed_process(ITERATION, self.seed, runner.rank, runner.iter)


def _sampler_settings(runner: Runner) -> dict:
    return runner.cfg.get('train_dataloader', {}).get('sampler', {})


def _by_iterations(runner: Runner) -> bool:
    """Whether the loop draws batches from one endless row, as `IterBasedTrainLoop` does."""
    return hasattr(runner.train_loop, 'dataloader_iterator')


def _skipped(runner: Runner) -> int:
    """Samples that a resumed loop of iterations passes over without drawing them; others it draws and throws away."""
    loop = runner.train_loop
    passed_over = hasattr(loop.dataloader.sampler, 'skip') or getattr(loop, 'fast_forward_on_resume', False)
    return runner.iter * loop.dataloader.batch_sampler.batch_size if passed_over else 0


def restart_iterator(loop) -> None:
    """Has a loop of iterations that began to draw samples when it was built, as mmengine's own does, begin again."""
    loader = loop.dataloader
    if loop.dataloader_iterator._iterator is not None:
        loader._iterator = None  # where persistent workers are kept
        if isinstance(loader.sampler, InfiniteSampler):
            loader.sampler.indices = loader.sampler._indices_of_rank()  # it stood where the first iterator left it
        loop.dataloader_iterator = type(loop.dataloader_iterator)(loader)
