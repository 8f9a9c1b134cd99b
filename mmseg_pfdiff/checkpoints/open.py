"""Opening trained generators, of one stage or two, from configs and checkpoints or from an exported folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope

from ..data.fraction_scan import TileFractions, TrainingTiles, dataset_classes
from ..models.cascade import PairCascade
from ..models.diffusion.base import PairDiffusion
from ..models.diffusion.pf_diffseg import PFDiffSeg
from ..models.diffusion.samplers import resolve_sampler
from ..models.enlarger import PairEnlarger
from ..models.given_masks import GivenMaskCascade, GivenMasks
from ..models.two_stage import ImageModel, MaskModel, TwoStageCascade
from ..requests.base import RequestSource, Unconditional, build_requests
from ..requests.table import RequestedFractions, parse_shares
from ..requests.target_mean import FractionPlanner
from .card import FRACTION_SETTINGS, GeneratorCard
from .load import load_models
from .options import config_with_options, split_options
from .settings import canonical, describe_model
from .weights import build_model, check_same_classes, load_weights, model_class

STAGE_ORDER = 'model of a two-stage baseline. Give the mask model first, the image model with --image-config'
# Each model: what it must be, and how the message about another one goes on.
KINDS: dict[str, tuple[type, str]] = dict(
    generator=(PFDiffSeg, 'not of a PFDiffSeg'),
    mask_model=(MaskModel, f'which is no mask {STAGE_ORDER}'),
    image_model=(ImageModel, f'which is no image {STAGE_ORDER}'),
    painter=(ImageModel, 'which draws no images for label maps, as a MaskPainter does'),
    super_resolution=(PairEnlarger, 'which is neither a PairSuperResolution nor a PairPainter or MaskPainter'),
)


@dataclass(frozen=True)
class OpenedGenerator:
    """A trained generator and all that drawing pairs with it needs.

    Attributes:
        models: By the arguments of the cascade that they make: `generator` of a :class:`PairCascade`, `mask_model`
            and `image_model` of a :class:`TwoStageCascade`, or `masks` and `image_model` of a
            :class:`GivenMaskCascade`; and `super_resolution`, which may be None.
        classes: K names.
        palette: K RGB colours.
        requests: The source of fractions that the config or the folder asks for.
        identity: What a pair folder records of each of the models.
        card: What an exported folder says besides the networks, the fractions of the training tiles (or of the label
            maps that are remodelled) among it; None for two stages, which nothing steers and no folder holds.
    """

    models: Mapping[str, BaseModel | GivenMasks | None]
    classes: tuple[str, ...]
    palette: list[list[int]]
    requests: RequestSource
    identity: dict
    card: GeneratorCard | None = None

    def cascade(self, *, device: str = 'cpu', **options) -> PairCascade | TwoStageCascade | GivenMaskCascade:
        """The models, ready to draw.

        Args:
            device: Where to run.
            **options: Others of :class:`PairCascade`; two stages and given label maps take none.

        Returns:
            The cascade.

        Raises:
            ValueError: Models that do not fit each other, or options that do not fit the device.
        """
        kinds = dict(generator=PairCascade, mask_model=TwoStageCascade, masks=GivenMaskCascade)
        [kind] = [kind for name, kind in kinds.items() if name in self.models]
        return kind(**self.models, device=device, **options)

    def choose_requests(self, *, fractions: str | None = None, target_mean: str | None = None) -> RequestSource:
        """The source of fractions that a command line asks for.

        Args:
            fractions: Path of a table with a row for each pair, or one vector as `matrix=0.3,austenite=0.7`.
            target_mean: Class shares of the whole set of pairs, as `defect=0.04`.

        Returns:
            The source; without arguments the generator's own.

        Raises:
            FileNotFoundError: No such table.
            ValueError: Both were given, one that does not fit the classes, or one for two stages.
        """
        if fractions and target_mean:
            raise ValueError('Fractions for each pair and a mean of all pairs exclude each other; give one of them.')
        if not (fractions or target_mean):
            return self.requests
        if self.card is None:
            raise ValueError(
                'Neither two-stage baselines nor label maps that are taken as they are can be steered: leave out '
                'fractions and a mean of all pairs.'
            )
        if fractions:
            return RequestedFractions.from_argument(fractions, self.classes)
        settings = self.card.fraction_settings
        jitter = {key: settings[key] for key in ('sigma', 'epsilon') if key in settings}
        return FractionPlanner(self.card.vectors, self.classes, parse_shares(target_mean), **jitter)


def open_generator(
    source: str | Path,
    checkpoint: str | None = None,
    *,
    image_config: str | None = None,
    image_checkpoint: str | None = None,
    sr_config: str | None = None,
    sr_checkpoint: str | None = None,
    data: str | None = None,
    sampler: str | None = None,
    steps: int | None = None,
    cfg_options: Mapping | None = None,
    image_cfg_options: Mapping | None = None,
    sr_cfg_options: Mapping | None = None,
) -> OpenedGenerator:
    """Opens a trained generator, as the command lines of the tools name it.

    Args:
        source: A folder that `tools/export_generator.py` wrote, or a config: of a generator, or with an image config
            of a mask model.
        checkpoint: Weights for the config.
        image_config: Config of an image model, the second stage of a baseline; with a config alone.
        image_checkpoint: Its weights.
        sr_config: Config of a super-resolution model; with a config alone.
        sr_checkpoint: Its weights.
        data: Root of a data set in place of those of the configs.
        sampler: Short name of a sampler in place of those of the models.
        steps: Number of steps in place of the samplers'.
        cfg_options: Settings over the config, or over those that a folder has of one: `model.` and
            `fraction_sampler.`.
        image_cfg_options: The same over the config of the image model.
        sr_cfg_options: The same over the config of the super-resolution model, of a folder `model.` alone.

    Returns:
        The generator, on the CPU.

    Raises:
        FileNotFoundError: Something named is not there.
        ValueError: Arguments that do not go together, files that do not, or options that would change nothing.
    """
    if Path(source).is_dir():
        others = dict(checkpoint=checkpoint, image_config=image_config, image_checkpoint=image_checkpoint)
        others |= dict(image_cfg_options=image_cfg_options, sr_config=sr_config, sr_checkpoint=sr_checkpoint, data=data)
        given = [name for name, value in others.items() if value]
        if given:
            raise ValueError(f'{source} is an exported generator, complete in itself: leave out {", ".join(given)}.')
        return _open_folder(Path(source), sampler, steps, cfg_options, sr_cfg_options)
    if checkpoint is None:
        raise ValueError(f'{source} is no folder of an exported generator; with a config, give its checkpoint as well.')
    check_together('super-resolution', '--sr-config', sr_config, sr_checkpoint, sr_cfg_options)
    check_together('second stage', '--image-config', image_config, image_checkpoint, image_cfg_options)
    config = config_with_options(source, cfg_options, () if image_config else ('fraction_sampler',), data)
    init_default_scope(config.get('default_scope', 'mmseg'))
    files = {'mask_model' if image_config else 'generator': (config, checkpoint)}
    if image_config:
        files['image_model'] = (config_with_options(image_config, image_cfg_options, data=data), image_checkpoint)
    if sr_config:
        files['super_resolution'] = (config_with_options(sr_config, sr_cfg_options, data=data), sr_checkpoint)
    models, identity, trained = open_models(files, sampler, steps)
    tiles = TrainingTiles(training_set(config))
    check_trained_classes(files, trained, tiles.classes.classes, config.filename)
    if image_config:
        classes, palette = tiles.classes
        return OpenedGenerator(models, classes, palette, Unconditional(classes), identity)
    return _one_stage(config, tiles.fractions(), models, identity)


def open_models(
    files: Mapping[str, tuple[Config, str]], sampler: str | None, steps: int | None
) -> tuple[dict[str, BaseModel | None], dict, dict[str, tuple[str, ...]]]:
    """Opens models of configs.

    Args:
        files: By the name of each model, of :data:`KINDS`: its config, and the path of its weights.
        sampler: As of :func:`open_generator`.
        steps: Likewise.

    Returns:
        The models by their names, `super_resolution` being None where there is none; what identifies each; and the
        classes it was trained on.

    Raises:
        FileNotFoundError, ValueError: As of :func:`open_generator`.
    """
    configs = [config for config, _ in files.values()]
    if (sampler or steps) and 'image_model' in files and not any(map(_draws_in_steps, configs)):
        kinds = ' nor '.join(str(config.model.get('type')) for config in configs)
        raise ValueError(f'Neither {kinds} draws with a sampler; leave out --sampler and --steps.')
    models, identity, trained = {}, {}, {}
    for name, (config, checkpoint) in files.items():
        models[name], trained[name] = _load_model(config, checkpoint, *KINDS[name], sampler, steps)
        identity[name] = describe_model(models[name], config)
    for each in (models, identity):
        each.setdefault('super_resolution', None)
    return models, identity, trained


def check_trained_classes(
    files: Mapping[str, tuple[Config, str]], trained: Mapping[str, Sequence[str]], classes: Sequence[str], place: str
) -> None:
    """Refuses models that were trained on other classes.

    Args:
        files: As of :func:`open_models`.
        trained: Classes of each, as it returns them.
        classes: K names of the data set.
        place: Config of the data set, for the message.

    Raises:
        ValueError: The classes differ.
    """
    for name, own in trained.items():
        own_config, own_checkpoint = files[name]
        # Where a checkpoint tells its classes, the data of its config may be others, or elsewhere.
        own = own or dataset_classes(training_set(own_config)).classes
        where = (f'the data set of {place}', 'train_dataloader.dataset')
        check_same_classes(f'{own_checkpoint} (of {own_config.filename})', own, classes, *where)


def _one_stage(config: Config, tiles: TileFractions, models: dict, identity: dict) -> OpenedGenerator:
    """A generator, with the fractions of the tiles that its config trains on."""
    settings = config.get('fraction_sampler') or {}
    requests = build_requests(settings, tiles.classes, tiles.vectors)
    settings = canonical({key: value for key, value in settings.items() if key in FRACTION_SETTINGS})
    data = f'{len(tiles.vectors)} tiles of a {" and a ".join(tiles.kinds)}.'
    card = GeneratorCard(tiles.classes, tiles.palette, tiles.vectors, settings, data)
    return OpenedGenerator(models, tiles.classes, tiles.palette, requests, identity, card)


def _open_folder(
    folder: Path, sampler: str | None, steps: int | None, options: Mapping | None, sr_options: Mapping | None
) -> OpenedGenerator:
    """An exported generator."""
    own = split_options(options, ('model', 'fraction_sampler'), str(folder))
    high = split_options(sr_options, ('model',), str(folder))
    changes = dict(generator=own['model'], super_resolution=high['model'])
    models, card = load_models(folder, sampler=sampler, steps=steps, options=changes)
    identity = {name: None if model is None else describe_model(model) for name, model in models.items()}
    card = card.with_options(own['fraction_sampler'])
    return OpenedGenerator(models, card.classes, card.palette, card.fraction_sampler(), identity, card)


def _load_model(
    config: Config, checkpoint: str, kind: type, otherwise: str, sampler: str | None, steps: int | None
) -> tuple[BaseModel, tuple[str, ...]]:
    """A model with its weights and the sampler asked for, and the classes that its checkpoint tells of."""
    settings = {}
    if _draws_in_steps(config):
        settings['sampler'] = resolve_sampler(config.model.get('sampler', 'ddim'), sampler, steps)
    model = build_model(config, kind, otherwise, **settings)
    return model, load_weights(model, checkpoint, config).classes


def _draws_in_steps(config: Config) -> bool:
    kind = model_class(config)
    return kind is not None and issubclass(kind, PairDiffusion)


def check_together(name: str, option: str, config: str | None, checkpoint: str | None, options: Mapping | None) -> None:
    """Refuses half of a model."""
    if bool(config) != bool(checkpoint):
        raise ValueError(f'Config and checkpoint of the {name} go together; one is missing.')
    if options and not config:
        raise ValueError(f'There is no {name} model that {", ".join(options)} could change: give {option}.')


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
