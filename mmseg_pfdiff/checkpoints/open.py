"""Opening a trained generator, given as an exported folder or as config and checkpoint."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config
from mmengine.registry import init_default_scope

from ..data.fraction_scan import TileFractions, dataset_fractions
from ..models.diffusion.base import PairDiffusion
from ..models.diffusion.pf_diffseg import PFDiffSeg
from ..models.diffusion.samplers import resolve_sampler
from ..models.diffusion.super_resolution import PairSuperResolution
from .card import FRACTION_SETTINGS, KNOWN_SOURCES, GeneratorCard
from .identity import describe_model
from .options import config_with_options, split_options
from .pretrained import load_parts
from .requests import RequestSource, build_requests, describe_requests
from .weights import build_model, load_weights


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


class OpenedGenerator(NamedTuple):
    """A generator ready for a :class:`PairCascade`.

    Attributes:
        generator: The generator.
        super_resolution: The super-resolution model, or None.
        card: Classes, palette and fractions of the training tiles.
        requests: The source of fractions that the config or the folder asks for.
        description: `generator` and `super_resolution` as a pair folder records them.
        requests_description: `requests` likewise.
    """

    generator: PFDiffSeg
    super_resolution: PairSuperResolution | None
    card: GeneratorCard
    requests: RequestSource
    description: dict
    requests_description: dict


def open_generator(
    source: str | Path,
    checkpoint: str | None = None,
    sr_config: str | None = None,
    sr_checkpoint: str | None = None,
    sampler: str | None = None,
    steps: int | None = None,
    cfg_options: Mapping | None = None,
    sr_cfg_options: Mapping | None = None,
) -> OpenedGenerator:
    """Opens what the command line of a tool names.

    Args:
        source: A folder that `tools/export_generator.py` wrote, or the config of a generator.
        checkpoint: Weights of the generator; with a config alone.
        sr_config: Config of the super-resolution model; with a config alone.
        sr_checkpoint: Weights of the super-resolution model.
        sampler: Short name of a sampler in place of those of the models.
        steps: Number of steps in place of the samplers'.
        cfg_options: Settings over the generator's config, or over those that a folder has of one: `model.` and
            `fraction_sampler.`.
        sr_cfg_options: The same over those of the super-resolution model, `model.` alone.

    Returns:
        Models, card and description.

    Raises:
        FileNotFoundError: Something named is not there.
        ValueError: Arguments that do not go together, files that do not, or options that would change nothing.
    """
    if Path(source).is_dir():
        others = dict(checkpoint=checkpoint, sr_config=sr_config, sr_checkpoint=sr_checkpoint)
        given = [name for name, value in others.items() if value]
        if given:
            raise ValueError(f'{source} is an exported generator, complete in itself: leave out {", ".join(given)}.')
        return _open_folder(Path(source), sampler, steps, cfg_options, sr_cfg_options)
    if checkpoint is None:
        raise ValueError(f'{source} is no folder of an exported generator; with a config, give its checkpoint as well.')
    check_super_resolution(sr_config, sr_checkpoint, sr_cfg_options)
    config = config_with_options(source, cfg_options, also=('fraction_sampler',))
    init_default_scope(config.get('default_scope', 'mmseg'))
    generator = load_generator(config, checkpoint, PFDiffSeg, sampler, steps)
    description = dict(generator=describe_model(generator, config), super_resolution=None)
    super_resolution = None
    if sr_config:
        super_resolution, description['super_resolution'] = open_super_resolution(
            sr_config, sr_checkpoint, sampler, steps, sr_cfg_options
        )
    tiles = dataset_fractions(training_set(config))
    settings = config.get('fraction_sampler') or {}
    requests = build_requests(settings, tiles.classes, tiles.vectors)
    described = describe_requests(requests, settings)
    return OpenedGenerator(generator, super_resolution, card_of_config(config, tiles), requests, description, described)


def check_super_resolution(config: str | None, checkpoint: str | None, options: Mapping | None) -> None:
    """Refuses half of a super-resolution model.

    Args:
        config: Its config, or None.
        checkpoint: Its weights, or None.
        options: Settings over its config, or None.

    Raises:
        ValueError: One is there without the others that it needs.
    """
    if bool(config) != bool(checkpoint):
        raise ValueError('Config and checkpoint of the super-resolution go together; one is missing.')
    if options and not config:
        raise ValueError(
            f'There is no super-resolution model that {", ".join(options)} could change: give --sr-config.'
        )


def open_super_resolution(
    config: str,
    checkpoint: str,
    sampler: str | None = None,
    steps: int | None = None,
    cfg_options: Mapping | None = None,
) -> tuple[PairSuperResolution, dict]:
    """Opens a super-resolution model, whatever draws the pairs that it enlarges.

    Args:
        config: Its config.
        checkpoint: Its weights.
        sampler: Short name of a sampler in place of the config's.
        steps: Number of steps in place of the sampler's.
        cfg_options: Settings over the config.

    Returns:
        The model, and what a pair folder records of it.

    Raises:
        FileNotFoundError: Something named is not there.
        ValueError: A config of something else, or weights that do not fit.
    """
    high = config_with_options(config, cfg_options)
    model = load_generator(high, checkpoint, PairSuperResolution, sampler, steps)
    return model, describe_model(model, high)


def card_of_config(config: Config, tiles: TileFractions) -> GeneratorCard:
    """The card of a generator, from its config.

    Args:
        config: Its config.
        tiles: Its training tiles.

    Returns:
        The card; licence not stated. Of a source of fractions that is not ours it keeps the vectors alone.
    """
    settings = config.get('fraction_sampler') or {}
    if settings.get('type', 'FractionSampler') not in KNOWN_SOURCES:
        settings = {}
    settings = {key: value for key, value in settings.items() if key in FRACTION_SETTINGS}
    return GeneratorCard(
        classes=tiles.classes,
        palette=tiles.palette,
        vectors=tiles.vectors,
        # Plain lists and dicts, as they come back from a file.
        fraction_settings=json.loads(json.dumps(settings)),
        data=f'{len(tiles.vectors)} tiles of a {" and a ".join(tiles.kinds)}.',
    )


def _open_folder(
    folder: Path, sampler: str | None, steps: int | None, options: Mapping | None, sr_options: Mapping | None
) -> OpenedGenerator:
    own = split_options(options, ('model', 'fraction_sampler'), str(folder))
    high = split_options(sr_options, ('model',), str(folder))
    parts = load_parts(folder, sampler, steps, own['model'], high['model'])
    description = {
        name: None if model is None else describe_model(model)
        for name, model in (('generator', parts.generator), ('super_resolution', parts.super_resolution))
    }
    card = parts.card.with_options(own['fraction_sampler'])
    requests = build_requests(card.source_settings(), card.classes, card.vectors)
    return OpenedGenerator(*parts._replace(card=card), requests, description, describe_requests(requests))
