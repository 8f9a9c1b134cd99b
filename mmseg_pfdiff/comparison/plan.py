"""The plan of a comparison: what is compared with what, on which data, how long."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config

REAL = 'real'
BUDGETS = ('epochs', 'iterations')


class Training(NamedTuple):
    """How a generator is trained.

    Attributes:
        config: Path of its config.
        epochs: Of its training.
        options: Settings over the config.
    """

    config: Path
    epochs: int
    options: Mapping


class Method(NamedTuple):
    """Where the synthetic pairs of a method come from.

    Attributes:
        generator: Name of the trained generator, or of the mask model of a two-stage baseline; None with `pairs_of`.
        image: Name of the image model of a two-stage baseline, or None.
        super_resolution: Name of the super-resolution model, or None.
        options: Settings over the generator's config when it draws, such as its guidance or its fractions.
        super_resolution_options: The same over the config of the super-resolution model.
        arguments: Further arguments of `tools/generate_pairs.py`.
        pairs_of: Name of the method whose pairs this one takes, to use them in another way; or None.
        drop_disagreeing: Leave pairs out whose masks disagree with a segmentor of real tiles: the plan's first one,
            after its training with the first seed.
        ratios: Tried in place of the plan's; empty for those.
        real_finish: Last epochs of a training that see real tiles alone.
        paper: What the paper calls it, to set its printed values beside; or None.
    """

    generator: str | None = None
    image: str | None = None
    super_resolution: str | None = None
    options: Mapping = {}
    super_resolution_options: Mapping = {}
    arguments: Sequence[str] = ()
    pairs_of: str | None = None
    drop_disagreeing: bool = False
    ratios: Sequence[int] = ()
    real_finish: int = 0
    paper: str | None = None


def method_generators(method: Method) -> list[str]:
    """Names of the models that draw the pairs of a method."""
    return [name for name in (method.generator, method.image, method.super_resolution) if name]


class Plan(NamedTuple):
    """A comparison.

    Attributes:
        name: Of the plan's file.
        data: Split -> root of the data set converted with it.
        segmentors: Name -> path of a config whose training set is a `SyntheticPairMix`.
        ratios: Synthetic samples per real one that are tried.
        methods: Name -> source of the pairs; 'real', without pairs, is always compared with.
        generators: Name -> how it is trained.
        seeds: One training each.
        epochs: Of the segmentors.
        budget: 'epochs': a mixed training takes the same epochs, so 1 + ratio times as many iterations (the paper).
            'iterations': an epoch has as many samples as there are real ones, whatever is mixed in.
        segmentor_options: Settings over every segmentor's config.
        seconds: Guesses for an estimate of the time where nothing was measured yet: 'generator', an epoch of a
            generator, for all or by its name; 'pairs', a pair; 'segmentor', an epoch on real tiles; 'test'.
    """

    name: str
    data: Mapping[str, str]
    segmentors: Mapping[str, Path]
    ratios: Sequence[int]
    methods: Mapping[str, Method]
    generators: Mapping[str, Training]
    seeds: Sequence[int]
    epochs: int
    budget: str
    segmentor_options: Mapping
    seconds: Mapping[str, float]


def read_plan(path: str | Path) -> Plan:
    """Reads a plan; relative paths of configs are from its folder.

    Args:
        path: Python file with the fields of :class:`Plan`.

    Returns:
        The plan.

    Raises:
        FileNotFoundError: The plan or one of its configs is not there.
        ValueError: Fields that are missing, unknown or do not fit.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path} is not there; plans lie in configs/comparison/.')
    fields = Config.fromfile(path)._cfg_dict.to_dict()
    try:
        generators = {
            name: Training(_config(path, one['config']), one['epochs'], one.get('options', {}))
            for name, one in fields.pop('generators', {}).items()
        }
        methods = {name: Method(**one) for name, one in fields.pop('methods').items() if name != REAL}
        segmentors = {name: _config(path, config) for name, config in fields.pop('segmentors').items()}
        fields = {'budget': 'epochs', 'segmentor_options': {}, 'seconds': {}, **fields}
        plan = Plan(path.stem, segmentors=segmentors, methods=methods, generators=generators, **fields)
    except (KeyError, TypeError) as error:
        raise ValueError(f'{path} is no plan of a comparison: {error}. See configs/comparison/cpu.py.') from error
    _check(plan, path)
    return plan


def _config(plan: Path, config: str) -> Path:
    path = (plan.parent / config).resolve()
    if not path.is_file():
        raise FileNotFoundError(f'{plan} names the config {config}, but {path} is not there.')
    return path


def _check(plan: Plan, path: Path) -> None:
    if plan.budget not in BUDGETS:
        raise ValueError(f"{path}: budget must be one of {BUDGETS}, got '{plan.budget}'.")
    if not plan.seeds or not plan.ratios or min(plan.ratios) < 1 or plan.epochs < 1:
        raise ValueError(
            f'{path}: seeds and ratios must not be empty, ratios and epochs at least 1; got seeds={plan.seeds}, '
            f'ratios={plan.ratios}, epochs={plan.epochs}. Training on real tiles alone is always in.'
        )
    unknown = sorted(set(plan.seconds) - {'generator', 'pairs', 'segmentor', 'test'})
    if unknown:
        raise ValueError(f"{path}: seconds are of 'generator', 'pairs', 'segmentor' and 'test'; got {unknown}.")
    for name, method in plan.methods.items():
        _check_method(plan, name, method, f'{path}: method {name!r}')
    absent = [root for root in plan.data.values() if not Path(root).is_dir()]
    if absent:
        raise FileNotFoundError(
            f'{path}: no data set at {absent[0]}. Convert one for each split: '
            'tools/dataset_converters/metaldam.py ... --split NAME.'
        )


def _check_method(plan: Plan, name: str, method: Method, where: str) -> None:
    drawn = method._replace(pairs_of=None, ratios=(), real_finish=0, paper=None)
    if method.pairs_of:
        owner = plan.methods.get(method.pairs_of)
        if owner is None or owner.pairs_of or drawn != Method():
            raise ValueError(
                f'{where} takes the pairs of {method.pairs_of!r}: that must be a method with a generator of its own, '
                'and nothing may be said here of how pairs are drawn.'
            )
    elif not method.generator:
        raise ValueError(f'{where} needs a generator, or pairs_of.')
    unknown = [part for part in method_generators(method) if part not in plan.generators]
    if unknown:
        raise ValueError(
            f'{where} needs the generator {unknown[0]!r}, but generators has only {sorted(plan.generators)}.'
        )
    if min(method.ratios, default=1) < 1 or not 0 <= method.real_finish < plan.epochs:
        raise ValueError(
            f'{where}: ratios must be at least 1, and real_finish from 0 to below the {plan.epochs} epochs; got '
            f'ratios={method.ratios}, real_finish={method.real_finish}.'
        )
