"""Models of configs, with the weights of checkpoints."""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..registry import class_of

PARALLEL = 'module.'  # before the names of weights that torch's parallel models save


def build_model(config: Config, kind: type, otherwise: str, **settings) -> nn.Module:
    """The model of a config, with random weights.

    Args:
        config: Has `model`.
        kind: Class or protocol that the model must be of.
        otherwise: How the message about one that is not goes on, as `not of a PFDiffSeg`.
        **settings: Arguments of the model in place of the config's.

    Returns:
        The model.

    Raises:
        ValueError: The config is of something else, or has settings that the model does not take.
    """
    built = model_class(config)
    if built is None or not issubclass(built, kind):
        of = built.__name__ if built else f'model that nobody knows ({str(config.get("model"))[:100]})'
        raise ValueError(f'{config.filename} is the config of a {of}, {otherwise}.')
    try:
        return MODELS.build({**config.model, **settings})
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f'{config.filename}: no {built.__name__} can be built with these settings of `model` ({error}). Look at '
            'the config, and at the options given over it.'
        ) from error


def model_class(config: Config) -> type[nn.Module] | None:
    """The class that a config's `model.type` stands for, a name or itself; None if there is no such model."""
    model = config.get('model')
    return class_of(model.get('type'), MODELS) if isinstance(model, Mapping) else None


class TrainedWeights(NamedTuple):
    """Content of a checkpoint.

    Attributes:
        state: The weights by name, without the prefix that a parallel training puts before; averaged ones, where
            training kept them, as MMEngine stores them in `state_dict`.
        classes: Names of the classes of the training data, in their order; empty where they were not noted.
    """

    state: Mapping[str, Tensor]
    classes: tuple[str, ...]


def read_weights(checkpoint: str) -> TrainedWeights:
    """Reads a checkpoint; runs no code of it.

    Args:
        checkpoint: File written by `tools/train.py`, or of weights alone.

    Returns:
        The weights, on the CPU, and their classes.

    Raises:
        FileNotFoundError: No such checkpoint.
        ValueError: It holds no weights.
    """
    content = CheckpointLoader.load_checkpoint(str(checkpoint), map_location='cpu')
    state = content.get('state_dict', content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not any(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(
            f'{checkpoint} is a {type(content).__name__} that holds no weights by name. Give a checkpoint that '
            'tools/train.py wrote.'
        )
    if all(str(name).startswith(PARALLEL) for name in state):
        state = {str(name).removeprefix(PARALLEL): value for name, value in state.items()}
    classes = content
    for key in ('meta', 'dataset_meta', 'classes'):
        classes = classes.get(key) if isinstance(classes, Mapping) else None
    return TrainedWeights(state, tuple(map(str, classes)) if isinstance(classes, list | tuple) else ())


def load_weights(model: nn.Module, checkpoint: str, config: Config) -> TrainedWeights:
    """Gives a model its weights.

    Args:
        model: Built from the config.
        checkpoint: As of :func:`read_weights`.
        config: For the message.

    Returns:
        What the checkpoint holds.

    Raises:
        FileNotFoundError: No such checkpoint.
        ValueError: It holds no weights, is of another network, or has numbers that are not finite.
    """
    weights = read_weights(checkpoint)
    try:
        model.load_state_dict(weights.state)
    except (AttributeError, RuntimeError, TypeError) as error:
        raise ValueError(
            f'{checkpoint} does not fit the network of {config.filename}: {str(error)[:400]}... '
            'Give the config the checkpoint was trained with, and the same --cfg-options.'
        ) from error
    check_finite(model.state_dict(), checkpoint)
    return weights


def check_finite(state: Mapping[str, Tensor], place: str | Path) -> None:
    """Refuses weights of a training that has diverged.

    Args:
        state: Weights by name.
        place: Where they were read, for the message.

    Raises:
        ValueError: Numbers that are not finite.
    """
    for name, values in state.items():
        if not values.isfinite().all():
            raise ValueError(
                f'{place}: {name} holds numbers that are not finite; its training has diverged. Give an earlier '
                'checkpoint, or train anew with a lower learning rate.'
            )


def check_same_classes(checkpoint: str, trained: Sequence[str], classes: Sequence[str], place: str, key: str) -> None:
    """Sees that a network tells the classes apart that a data set has, in the same order.

    Args:
        checkpoint: Its name, for the message.
        trained: Classes that it was trained on; empty where nobody knows them.
        classes: Those of the data set; empty likewise.
        place: The data set, for the message.
        key: Of the data set in its config.

    Raises:
        ValueError: It was trained on others, or on the same in another order.
    """
    pairs = enumerate(zip_longest(trained, classes)) if trained and classes else ()
    differing = [f'class {k} is {there} there and {here} here' for k, (there, here) in pairs if here != there]
    if differing:
        raise ValueError(
            f'{checkpoint} was trained on other classes than {place} has: {", ".join(differing)}. Give one that was '
            f'trained on the same classes in the same order. Where they merely have other names, give {place} those of '
            f'the checkpoint: --cfg-options "{key}.metainfo.classes=({",".join(trained)})"'
        )


def drawing_weights(model: nn.Module) -> dict[str, Tensor]:
    """The weights and buffers of a generator that drawing needs: all but those of a discriminator."""
    return {name: value for name, value in model.state_dict().items() if not name.startswith('discriminator.')}


def tensors_sha256(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of weights and buffers: names, dtypes, shapes and values, in the order of the names.

    Args:
        state: By name, on any device.

    Returns:
        Hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f'{name} {tensor.dtype} {tuple(tensor.shape)}\n'.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()
