"""Opening a trained generator, given as an exported folder or as config and checkpoint."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config
from mmengine.registry import init_default_scope

from ..datasets.fraction_scan import inner_dataset
from ..phases import FractionPlanner, FractionRequest, FractionSampler, RequestedFractions, parse_shares
from .descriptions import describe_fractions, describe_part
from .loading import build_fraction_sampler, dataset_palette, load_generator
from .model_card import FRACTION_SETTINGS, GeneratorCard
from .pf_diffseg import PFDiffSeg
from .pretrained import describe_folder_part, load_parts
from .super_resolution import PairSuperResolution

RequestSource = Callable[[int, int], FractionRequest]
# Sources of fractions that an exported folder can hold.
KNOWN_SOURCES = ('FractionSampler', 'FractionPlanner')


class OpenedGenerator(NamedTuple):
    """A generator ready for a :class:`PairCascade`.

    Attributes:
        generator: The generator.
        super_resolution: The super-resolution model, or None.
        card: Classes, palette and fractions of the training tiles.
        requests: The source of fractions that the config or the folder asks for.
        description: `generator` and `super_resolution` as a pair folder records them.
    """

    generator: PFDiffSeg
    super_resolution: PairSuperResolution | None
    card: GeneratorCard
    requests: RequestSource
    description: dict


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
        cfg_options: Settings over the generator's config; with a config alone.
        sr_cfg_options: The same over the config of the super-resolution model.

    Returns:
        Models, card and description.

    Raises:
        FileNotFoundError: Something named is not there.
        ValueError: Arguments that do not go together, or files that do not.
    """
    if Path(source).is_dir():
        others = dict(
            checkpoint=checkpoint,
            sr_config=sr_config,
            sr_checkpoint=sr_checkpoint,
            cfg_options=cfg_options,
            sr_cfg_options=sr_cfg_options,
        )
        given = [name for name, value in others.items() if value]
        if given:
            raise ValueError(f'{source} is an exported generator, complete in itself: leave out {", ".join(given)}.')
        return _open_folder(Path(source), sampler, steps)
    if checkpoint is None:
        raise ValueError(f'{source} is no folder of an exported generator; with a config, give its checkpoint as well.')
    if bool(sr_config) != bool(sr_checkpoint):
        raise ValueError('Config and checkpoint of the super-resolution go together; one is missing.')
    config = Config.fromfile(source)
    config.merge_from_dict(dict(cfg_options or {}))
    init_default_scope(config.get('default_scope', 'mmseg'))
    generator, chosen = load_generator(config, checkpoint, PFDiffSeg, sampler, steps)
    description = dict(generator=describe_part(config, checkpoint, chosen), super_resolution=None)
    super_resolution = None
    if sr_config:
        super_resolution, description['super_resolution'] = open_super_resolution(
            sr_config, sr_checkpoint, sampler, steps, sr_cfg_options
        )
    requests = build_fraction_sampler(config)
    return OpenedGenerator(generator, super_resolution, card_of_config(config, requests), requests, description)


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
    high = Config.fromfile(config)
    high.merge_from_dict(dict(cfg_options or {}))
    model, chosen = load_generator(high, checkpoint, PairSuperResolution, sampler, steps)
    return model, describe_part(high, checkpoint, chosen)


def choose_requests(
    opened: OpenedGenerator, fractions: str | None = None, target_mean: str | None = None
) -> tuple[RequestSource, dict]:
    """Which fractions to draw for, as a command line asks.

    Args:
        opened: The generator.
        fractions: Path of a table with a row for each pair, or one vector as `matrix=0.3,austenite=0.7`.
        target_mean: Class shares of the whole set of pairs, as `defect=0.04`. Without both, the generator's own source.

    Returns:
        The source, and what identifies it in a pair folder.

    Raises:
        FileNotFoundError: No such table.
        ValueError: Both were given, or one that does not fit the classes.
    """
    if fractions and target_mean:
        raise ValueError('Fractions for each pair and a mean of all pairs exclude each other; give one of them.')
    card = opened.card
    if fractions:
        source = RequestedFractions.from_argument(fractions, card.classes)
    elif target_mean:
        jitter = {key: card.fraction_settings[key] for key in ('sigma', 'epsilon') if key in card.fraction_settings}
        source = FractionPlanner(card.vectors, card.classes, parse_shares(target_mean), **jitter)
    else:
        source = opened.requests
    if hasattr(source, 'description'):
        return source, source.description()
    return source, describe_fractions(source, dict(fraction_sampler=card.fraction_settings))


def number_of_pairs(source: RequestSource, num: int | None = None) -> int:
    """How many pairs to draw: what was asked for, else all that a table asks for.

    Args:
        source: The source of fractions.
        num: As asked for, or None.

    Returns:
        The number.

    Raises:
        ValueError: No number, below 1, or more than the table has rows.
    """
    rows = getattr(source, 'num', None)
    if num is None and rows is None:
        raise ValueError('How many pairs? Give a number (--num); only a table of fractions implies one, its rows.')
    if (num is not None and num < 1) or (num and rows and num > rows):
        most = '' if rows is None else f' and at most {rows}, the rows of the table'
        raise ValueError(f'The number of pairs must be at least 1{most}; got {num}.')
    return num or rows


def card_of_config(config: Config, requests: FractionSampler) -> GeneratorCard:
    """The card of a generator, from its config.

    Args:
        config: Its config.
        requests: Its source of fractions, which knows the training tiles. Of one that is not ours a card keeps the
            vectors alone.

    Returns:
        The card; licence not stated.
    """
    settings = config.get('fraction_sampler', {})
    if settings.get('type', 'FractionSampler') not in KNOWN_SOURCES:
        settings = {}
    settings = {key: value for key, value in settings.items() if key in FRACTION_SETTINGS}
    return GeneratorCard(
        classes=requests.classes,
        palette=dataset_palette(config),
        vectors=requests.vectors,
        # Plain lists and dicts, as they come back from a file.
        fraction_settings=json.loads(json.dumps(settings)),
        data=f'{len(requests.vectors)} tiles of a {inner_dataset(config.train_dataloader.dataset)["type"]}.',
    )


def _open_folder(folder: Path, sampler: str | None, steps: int | None) -> OpenedGenerator:
    parts = load_parts(folder, sampler, steps)
    description = {
        name: None if model is None else describe_folder_part(folder / name, model)
        for name, model in (('generator', parts.generator), ('super_resolution', parts.super_resolution))
    }
    return OpenedGenerator(*parts, parts.card.fraction_sampler(), description)
