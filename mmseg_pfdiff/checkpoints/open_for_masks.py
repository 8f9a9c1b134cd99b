"""Opening models that draw images, for label maps that are given."""

from collections.abc import Mapping
from pathlib import Path

from mmengine.registry import init_default_scope

from ..data.fraction_scan import TileClasses, dataset_classes
from ..data.label_folder import read_label_folder
from ..models.given_masks import GivenMasks
from ..models.two_stage import ImageModel
from ..requests.base import build_requests
from ..requests.given import GivenFractions
from .card import FRACTION_SETTINGS, GeneratorCard
from .open import OpenedGenerator, check_together, check_trained_classes, open_generator, open_models, training_set
from .options import config_with_options
from .settings import canonical


def open_for_masks(
    masks: str | Path,
    source: str | Path,
    checkpoint: str | None = None,
    *,
    remodelled: bool = False,
    sr_config: str | None = None,
    sr_checkpoint: str | None = None,
    data: str | None = None,
    sampler: str | None = None,
    steps: int | None = None,
    cfg_options: Mapping | None = None,
    sr_cfg_options: Mapping | None = None,
) -> OpenedGenerator:
    """Opens a model that draws images, for the label maps of a folder.

    Args:
        masks: Folder of label maps, see :func:`~mmseg_pfdiff.data.label_folder.read_label_folder`.
        source: A folder that `tools/export_generator.py` wrote with a painter, or a config: of a painter, or of the
            second stage of a baseline.
        checkpoint: Weights for the config.
        remodelled: Draw for new label maps after those of the folder, of the fractions that the config's
            `fraction_sampler` asks for; else for these as they are.
        sr_config: Config of a painter that enlarges what the second stage of a baseline draws.
        sr_checkpoint: Its weights.
        data: As of :func:`open_generator`.
        sampler: Likewise.
        steps: Likewise.
        cfg_options: Likewise.
        sr_cfg_options: Likewise.

    Returns:
        The models and the label maps; no model is moved.

    Raises:
        FileNotFoundError: Something named is not there.
        ValueError: As of :func:`open_generator`; models that draw no images for label maps; or label maps that cannot
            be drawn for.
    """
    options = dict(data=data, sampler=sampler, steps=steps, cfg_options=cfg_options, sr_cfg_options=sr_cfg_options)
    if Path(source).is_dir():
        options |= dict(sr_config=sr_config, sr_checkpoint=sr_checkpoint)
        models, identity, classes, settings = _painter_of_folder(source, checkpoint, options)
    elif checkpoint is None:
        raise ValueError(f'{source} is no folder of an exported generator; with a config, give its checkpoint as well.')
    else:
        check_together('super-resolution', '--sr-config', sr_config, sr_checkpoint, sr_cfg_options)
        config = config_with_options(source, cfg_options, ('fraction_sampler',), data)
        init_default_scope(config.get('default_scope', 'mmseg'))
        files = dict(painter=(config, checkpoint))
        if sr_config:
            files['super_resolution'] = (config_with_options(sr_config, sr_cfg_options, data=data), sr_checkpoint)
        models, identity, trained = open_models(files, sampler, steps)
        classes = dataset_classes(training_set(config))
        check_trained_classes(files, trained, classes.classes, config.filename)
        settings = config.get('fraction_sampler') or {}
        for each in (models, identity):
            each['image_model'] = each.pop('painter')
    return _for_masks(models, identity, classes, settings, masks, remodelled=remodelled)


def _painter_of_folder(
    source: str | Path, checkpoint: str | None, options: Mapping
) -> tuple[dict, dict, TileClasses, Mapping]:
    """The painter of an exported generator, what identifies it, its classes and the settings of its requests."""
    opened = open_generator(source, checkpoint, **options)
    painter = opened.models['super_resolution']
    if not isinstance(painter, ImageModel):
        raise ValueError(
            f'{source} has no painter, which would draw images for label maps. Give a folder that was exported with '
            'one, or the config and checkpoint of one.'
        )
    models, identity = (
        dict(image_model=each['super_resolution'], super_resolution=None) for each in (opened.models, opened.identity)
    )
    return models, identity, TileClasses(opened.classes, opened.palette), opened.card.fraction_settings


def _for_masks(
    models: dict, identity: dict, classes: TileClasses, settings: Mapping, folder: str | Path, *, remodelled: bool
) -> OpenedGenerator:
    size = (models['super_resolution'] or models['image_model']).data_preprocessor.size
    number = len(classes.classes)
    masks = GivenMasks(read_label_folder(folder, number), number, size, remodelled=remodelled)
    models, identity = dict(masks=masks, **models), dict(masks=masks.describe(), **identity)
    if not remodelled:
        return OpenedGenerator(models, *classes, GivenFractions(masks.fractions, classes.classes), identity)
    requests = build_requests(settings, classes.classes, masks.fractions)
    settings = canonical({key: value for key, value in settings.items() if key in FRACTION_SETTINGS})
    card = GeneratorCard(*classes, masks.fractions, settings, f'{len(masks.maps)} label maps.')
    return OpenedGenerator(models, *classes, requests, identity, card)
