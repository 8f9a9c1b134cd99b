"""Building trained generators from a config and a checkpoint."""

from collections.abc import Mapping

from mmengine.config import Config

from ..trained_models import build_model, load_weights
from .pair_diffusion import PairDiffusion
from .samplers import resolve_sampler


def load_generator(
    config: Config,
    checkpoint: str,
    kind: type[PairDiffusion] = PairDiffusion,
    sampler: str | None = None,
    steps: int | None = None,
) -> PairDiffusion:
    """A trained model of a config; EMA weights, where training kept them, as MMEngine stores them in `state_dict`.

    Args:
        config: Config whose `model` is a :class:`PairDiffusion`.
        checkpoint: File written by `tools/train.py`.
        kind: What it must be.
        sampler: Short name of a sampler in place of the config's.
        steps: Number of steps in place of the sampler's.

    Returns:
        The model.

    Raises:
        FileNotFoundError: No such checkpoint.
        ValueError: The config is of something else, the checkpoint is of another network, or an unknown sampler.
    """
    settings = resolve_sampler(config.get('model', {}).get('sampler', 'ddim'), sampler, steps)
    model = build_model(config, kind, f'not of a {kind.__name__}', sampler=settings)
    load_weights(model, checkpoint, config)
    return model


def training_set(config: Config) -> Mapping:
    """The config of the data set that a model was trained on: it tells classes and fractions.

    Args:
        config: Of the model.

    Returns:
        `train_dataloader.dataset`.

    Raises:
        ValueError: There is none.
    """
    loader = config.get('train_dataloader')
    dataset = loader.get('dataset') if isinstance(loader, Mapping) else None
    if not isinstance(dataset, Mapping):
        raise ValueError(
            f'{config.filename} has no train_dataloader.dataset, whose tiles tell the classes and their fractions. '
            'Give the config that the model was trained with.'
        )
    return dataset
