"""Filling a pair folder: the loop behind `tools/generate_pairs.py`."""

import hashlib
import itertools
from collections.abc import Callable, Iterator
from importlib.metadata import version

import diffusers
import torch
from mmengine.config import Config
from tqdm import tqdm

from ..datasets import PairFolder, PairRow
from ..files import file_sha256
from ..phases import FractionRequest, FractionSampler, phase_fractions
from ..version import __version__
from .cascade import PairCascade


def describe_part(config: Config, checkpoint: str, sampler: dict) -> dict:
    """What identifies a trained model in a pair folder.

    Args:
        config: Its config, command-line options merged.
        checkpoint: Its weights.
        sampler: Its resolved sampler.

    Returns:
        JSON-like description: class, SHA-256 of network settings and weights, sampler.
    """
    network = {key: value for key, value in config.model.items() if key != 'sampler'}
    return dict(
        type=config.model.type,
        config_sha256=hashlib.sha256(repr(_plain(network)).encode()).hexdigest(),
        weights_sha256=file_sha256(checkpoint),
        sampler=sampler,
    )


def _plain(value):
    """Settings as sorted tuples, whose text does not depend on the order they were written in."""
    if isinstance(value, dict):
        return tuple((key, _plain(value[key])) for key in sorted(value))
    if isinstance(value, list | tuple):
        return tuple(_plain(item) for item in value)
    return value


def describe_fractions(sampler: FractionSampler, config: Config) -> dict:
    """What identifies the source of fractions: the settings, and the vectors of the tiles."""
    return dict(
        vectors=len(sampler.vectors),
        vectors_sha256=hashlib.sha256(sampler.vectors.numpy().tobytes()).hexdigest(),
        settings=config.get('fraction_sampler', {}),
        sigma=sampler.sigma,
        epsilon=sampler.epsilon,
    )


def package_versions() -> dict[str, str]:
    """Versions that influence what is drawn."""
    return dict(
        mmseg_pfdiff=__version__, torch=version('torch'), diffusers=diffusers.__version__, numpy=version('numpy')
    )


def generate_pairs(
    cascade: PairCascade,
    requests: Callable[[int, int], FractionRequest],
    folder: PairFolder,
    num: int,
    seed: int,
    batch_size: int,
) -> int:
    """Writes the pairs 0..num-1 that the folder lacks.

    Args:
        cascade: Draws them.
        requests: (seed, index) -> the fractions asked for, e.g. a :class:`FractionSampler`.
        folder: Where to.
        num: Pairs the folder shall hold.
        seed: Seed of the run, >= 0.
        batch_size: Pairs drawn together, >= 1; changes nothing but speed and memory.

    Returns:
        Number of pairs written now.

    Raises:
        ValueError: num or batch_size below 1.
    """
    if num < 1 or batch_size < 1:
        raise ValueError(f'num and batch_size must be at least 1, got num={num}, batch_size={batch_size}.')
    missing = folder.missing(num)
    with tqdm(total=num, initial=num - len(missing), desc='pairs', unit='pair') as progress:
        for indices in batches(missing, batch_size):
            asked = [requests(seed, index) for index in indices]
            pairs = cascade(torch.stack([request.fractions for request in asked]), seed, indices)
            measured = phase_fractions(pairs.labels, len(folder.classes))
            for n, index in enumerate(indices):
                row = PairRow(
                    index, seed, asked[n].group, tuple(asked[n].fractions.tolist()), tuple(measured[n].tolist())
                )
                folder.write(row, pairs.images[n].numpy(), pairs.labels[n].numpy())
            progress.update(len(indices))
    return len(missing)


def batches(indices: list[int], size: int) -> Iterator[list[int]]:
    """Splits a list into lists of `size`; the last may be shorter."""
    iterator = iter(indices)
    while batch := list(itertools.islice(iterator, size)):
        yield batch
