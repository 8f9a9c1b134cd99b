"""Reading the plan of a comparison from its file."""

import json
from pathlib import Path

from mmengine.config import Config

from ..datasets.metaldam_splits import split_names
from .plan import BUDGETS, DRAWING, REAL, Method, Plan, Training, method_generators


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
    _check(plan, f'{path}')
    return plan


def _config(plan: Path, config: str) -> Path:
    path = (plan.parent / config).resolve()
    if not path.is_file():
        raise FileNotFoundError(f'{plan} names the config {config}, but {path} is not there.')
    return path


def _check(plan: Plan, path: str) -> None:
    _check_numbers(plan, path)
    for name in ('data', 'segmentors'):
        if not getattr(plan, name):
            raise ValueError(f'{path}: {name} must not be empty.')
    unknown = sorted(set(plan.seconds) - {'generator', 'pairs', 'segmentor', 'test'})
    if unknown:
        raise ValueError(f"{path}: seconds are of 'generator', 'pairs', 'segmentor' and 'test'; got {unknown}.")
    for name, method in plan.methods.items():
        _check_method(plan, method, f'{path}: method {name!r}')
    for split, root in plan.data.items():
        _check_data(split, Path(root), path)


def _check_numbers(plan: Plan, path: str) -> None:
    if plan.budget not in BUDGETS:
        raise ValueError(f"{path}: budget must be one of {BUDGETS}, got '{plan.budget}'.")
    for name in ('seeds', 'ratios'):
        values = getattr(plan, name)
        if not isinstance(values, (list, tuple)) or not all(isinstance(value, int) for value in values):
            raise ValueError(f'{path}: {name} must be a list of whole numbers, got {values!r}.')
    if not isinstance(plan.epochs, int):
        raise ValueError(f'{path}: epochs must be a whole number, got {plan.epochs!r}.')
    if not plan.seeds or len(set(plan.seeds)) < len(plan.seeds):
        raise ValueError(f'{path}: seeds must not be empty, and must differ; got seeds={plan.seeds}.')
    if min(plan.ratios, default=0) < 1 or plan.epochs < 1:
        raise ValueError(
            f'{path}: ratios must not be empty, ratios and epochs be at least 1; got ratios={plan.ratios}, '
            f'epochs={plan.epochs}. Training on real tiles alone is always in.'
        )


def _check_data(split: str, root: Path, path: str) -> None:
    if not root.is_dir():
        raise FileNotFoundError(
            f'{path}: no data set at {root}. Convert one for each split: tools/dataset_converters/metaldam.py ... '
            '--split NAME.'
        )
    # A data set converted with another split than its name says would pass for that.
    record = root / 'metaldam.json'
    if split in split_names() and record.is_file():
        found = json.loads(record.read_text())['split']['name']
        if found != split:
            raise ValueError(
                f'{path}: {root} holds the split {found!r}, not {split!r}. Convert it with --split {split}.'
            )


def _check_method(plan: Plan, method: Method, where: str) -> None:
    if method.pairs_of:
        owner = plan.methods.get(method.pairs_of)
        if owner is None or owner.pairs_of or any(getattr(method, name) for name in DRAWING):
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
