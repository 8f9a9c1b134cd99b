"""Building trained generators from a config and a checkpoint."""

from mmengine.config import Config
from mmseg.registry import DATASETS, TASK_UTILS

from ..datasets.fraction_scan import dataset_fractions
from ..phases import FractionSampler
from ..trained_models import build_model, load_weights
from .pair_diffusion import PairDiffusion
from .samplers import resolve_sampler


def load_generator(
    config: Config,
    checkpoint: str,
    kind: type[PairDiffusion] = PairDiffusion,
    sampler: str | None = None,
    steps: int | None = None,
) -> tuple[PairDiffusion, dict]:
    """A trained model of a config; EMA weights, where training kept them, as MMEngine stores them in `state_dict`.

    Args:
        config: Config whose `model` is a :class:`PairDiffusion`.
        checkpoint: File written by `tools/train.py`.
        kind: What it must be.
        sampler: Short name of a sampler in place of the config's.
        steps: Number of steps in place of the sampler's.

    Returns:
        The model, and the resolved sampler config.

    Raises:
        FileNotFoundError: No such checkpoint.
        ValueError: The config is of something else, the checkpoint is of another network, or an unknown sampler.
    """
    settings = resolve_sampler(config.get('model', {}).get('sampler', 'ddim'), sampler, steps)
    model = build_model(config, kind, f'not of a {kind.__name__}', sampler=settings)
    load_weights(model, checkpoint, config)
    return model, settings


def build_fraction_sampler(config: Config) -> FractionSampler:
    """The fraction sampler of a generator config over its training tiles.

    Args:
        config: Has `train_dataloader.dataset`, and perhaps `fraction_sampler` with arguments of `FractionSampler`.

    Returns:
        The sampler.
    """
    classes, vectors = dataset_fractions(config.train_dataloader.dataset)
    settings = dict(config.get('fraction_sampler', {}))
    return TASK_UTILS.build({'type': 'FractionSampler', **settings, 'vectors': vectors, 'classes': classes})


def dataset_palette(config: Config) -> list[list[int]]:
    """RGB colours of the classes of a config's training set."""
    dataset = DATASETS.build({**config.train_dataloader.dataset, 'lazy_init': True})
    return [list(colour) for colour in dataset.metainfo['palette']]
