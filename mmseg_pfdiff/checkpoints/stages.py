"""Opening the two trained stages of a baseline, given as configs and checkpoints."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope

from ..data.fraction_scan import dataset_classes
from ..models.diffusion.samplers import resolve_sampler
from ..models.diffusion.super_resolution import PairSuperResolution
from ..models.two_stage import ImageModel, MaskModel
from .identity import describe_model
from .open import check_super_resolution, open_super_resolution, training_set
from .options import config_with_options
from .weights import build_model, load_weights


class OpenedStages(NamedTuple):
    """Two trained stages.

    Attributes:
        mask_model: Stage one.
        image_model: Stage two.
        super_resolution: Or None.
        classes: K names.
        palette: K RGB colours.
        description: `mask_model`, `image_model` and `super_resolution` as a pair folder records them.
    """

    mask_model: MaskModel
    image_model: ImageModel
    super_resolution: PairSuperResolution | None
    classes: tuple[str, ...]
    palette: list[list[int]]
    description: dict


def open_stages(
    config: str,
    checkpoint: str,
    image_config: str,
    image_checkpoint: str,
    sr_config: str | None = None,
    sr_checkpoint: str | None = None,
    sampler: str | None = None,
    steps: int | None = None,
    cfg_options: Mapping | None = None,
    sr_cfg_options: Mapping | None = None,
    image_cfg_options: Mapping | None = None,
) -> OpenedStages:
    """Opens what the command line of a tool names.

    Args:
        config: Config of the mask model; its training set names classes and palette.
        checkpoint: Its weights.
        image_config: Config of the image model.
        image_checkpoint: Its weights.
        sr_config: Config of a super-resolution model, or None.
        sr_checkpoint: Its weights.
        sampler: Short name of a sampler in place of those of the configs; for diffusion models.
        steps: Number of steps in place of the samplers'.
        cfg_options: Settings over the mask model's config.
        sr_cfg_options: The same over the config of the super-resolution model.
        image_cfg_options: The same over the image model's config.

    Returns:
        The models and what to know of them.

    Raises:
        FileNotFoundError: Something named is not there.
        ValueError: A config of something else, or weights that do not fit.
    """
    check_super_resolution(sr_config, sr_checkpoint, sr_cfg_options)
    first, second = config_with_options(config, cfg_options), config_with_options(image_config, image_cfg_options)
    init_default_scope(first.get('default_scope', 'mmseg'))
    _check_sampler_used((first, second), sampler, steps, bool(sr_config))
    mask_model, mask_described = _load_stage(first, checkpoint, 'draw_labels', sampler, steps)
    image_model, image_described = _load_stage(second, image_checkpoint, 'draw_images', sampler, steps)
    super_resolution, described = None, dict(mask_model=mask_described, image_model=image_described)
    if sr_config:
        super_resolution, described['super_resolution'] = open_super_resolution(
            sr_config, sr_checkpoint, sampler, steps, sr_cfg_options
        )
    classes, palette = dataset_classes(training_set(first))
    return OpenedStages(mask_model, image_model, super_resolution, classes, palette, described)


def _check_sampler_used(
    configs: Sequence[Config], sampler: str | None, steps: int | None, super_resolution: bool
) -> None:
    """Refuses a sampler for models that draw in one step."""
    used = super_resolution or any('sampler' in config.get('model', {}) for config in configs)
    if (sampler or steps) and not used:
        kinds = ' nor '.join(str(config.model.get('type')) for config in configs)
        raise ValueError(f'Neither {kinds} draws with a sampler; leave out --sampler and --steps.')


def _load_stage(
    config: Config, checkpoint: str, method: str, sampler: str | None, steps: int | None
) -> tuple[BaseModel, dict]:
    settings = {}
    if 'sampler' in config.get('model', {}):
        settings['sampler'] = resolve_sampler(config.model.sampler, sampler, steps)
    model = build_model(config, BaseModel, 'not of a model', **settings)
    if not hasattr(model, method):
        kind = 'mask' if method == 'draw_labels' else 'image'
        raise ValueError(
            f'{config.filename} is the config of a {type(model).__name__}, which is no {kind} model of a two-stage '
            'baseline. Give the mask model first, the image model with --image-config.'
        )
    load_weights(model, checkpoint, config)
    return model, describe_model(model, config)
