"""What identifies the makers of pairs in a pair folder."""

import hashlib

from mmengine.config import Config

from ..files import file_sha256
from ..phases import FractionSampler


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
