"""Models of configs, with the weights of checkpoints."""

from collections.abc import Mapping
from typing import Any

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


def load_weights(model: nn.Module, checkpoint: str, config: Config) -> None:
    """Gives a model its weights; averaged ones, where training kept them, as MMEngine stores them in `state_dict`.

    Args:
        model: Built from the config.
        checkpoint: File written by `tools/train.py`.
        config: For the message.

    Raises:
        FileNotFoundError: No such checkpoint.
        ValueError: It holds no weights, is of another network, or has numbers that are not finite.
    """
    weights = _weights(CheckpointLoader.load_checkpoint(str(checkpoint), map_location='cpu'), checkpoint)
    try:
        model.load_state_dict(weights)
    except (AttributeError, RuntimeError, TypeError) as error:
        raise ValueError(
            f'{checkpoint} does not fit the network of {config.filename}: {str(error)[:400]}... '
            'Give the config the checkpoint was trained with, and the same --cfg-options.'
        ) from error
    for name, values in model.state_dict().items():
        if not values.isfinite().all():
            raise ValueError(
                f'{checkpoint}: {name} holds numbers that are not finite; its training has diverged. Give an earlier '
                'checkpoint, or train anew with a lower learning rate.'
            )


def _weights(content: Any, checkpoint: str) -> Mapping[str, Tensor]:
    """The weights by name in the content of a checkpoint, without the prefix that a parallel training put before."""
    state = content.get('state_dict', content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not any(isinstance(value, Tensor) for value in state.values()):
        kind = type(content).__name__
        raise ValueError(
            f'{checkpoint} is a {kind} that holds no weights by name. Give a checkpoint that tools/train.py wrote.'
        )
    if not all(str(name).startswith(PARALLEL) for name in state):
        return state
    return {str(name).removeprefix(PARALLEL): value for name, value in state.items()}
