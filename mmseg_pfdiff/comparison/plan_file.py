"""Reading the plan of a comparison from its file."""

from pathlib import Path

from ..config_files import read_config
from ..data.metaldam.splits import split_names
from ..data.record import read_record
from .plan import BUDGETS, DRAWING, REAL, Method, Plan, Training, method_generators
from .run_configs import check_parts, generator_config, segmentor_base, with_data_root


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
    try:
        fields = read_config(path)._cfg_dict.to_dict()
        generators = {
            name: Training(_config(path, training['config']), training['epochs'], training.get('options', {}))
            for name, training in fields.pop('generators', {}).items()
        }
        methods = {name: Method(**method) for name, method in fields.pop('methods').items()}
        segmentors = {name: _config(path, config) for name, config in fields.pop('segmentors').items()}
        fields = {'budget': 'epochs', 'segmentor_options': {}, 'seconds': {}, **fields}
        plan = Plan(path.stem, segmentors=segmentors, methods=methods, generators=generators, **fields)
        _check(plan, f'{path}')
    except (AttributeError, IndexError, KeyError, SyntaxError, TypeError) as error:
        raise ValueError(f'{path} is no plan of a comparison: {error!r}. See configs/comparison/cpu.py.') from error
    return plan


def _config(plan: Path, config: str) -> Path:
    path = (plan.parent / config).resolve()
    if not path.is_file():
        raise FileNotFoundError(f'{plan} names the config {config}, but {path} is not there.')
    return path


def _check(plan: Plan, path: str) -> None:
    if plan.budget not in BUDGETS:
        raise ValueError(f"{path}: budget must be one of {BUDGETS}, got '{plan.budget}'.")
    _check_number(plan.epochs, 1, f'{path}: epochs')
    _check_numbers(plan.seeds, 0, f'{path}: seeds')
    _check_numbers(plan.ratios, 1, f'{path}: ratios')
    for name in ('data', 'segmentors', 'seeds', 'ratios'):
        if not getattr(plan, name):
            raise ValueError(f'{path}: {name} must not be empty.')
    unknown = sorted(set(plan.seconds) - {'generator', 'pairs', 'segmentor', 'test'})
    if unknown:
        raise ValueError(f"{path}: seconds are of 'generator', 'pairs', 'segmentor' and 'test'; got {unknown}.")
    for split, root in plan.data.items():
        _check_data(split, Path(root), path)
    for name, method in plan.methods.items():
        _check_method(plan, name, method, f'{path}: method {name!r}')
    # What does not fit in a config shall show before any work.
    for name, training in plan.generators.items():
        _check_number(training.epochs, 1, f'{path}: generator {name!r}: epochs')
        generator_config(training, next(iter(plan.data.values())), plan.seeds[0])
    for name in plan.segmentors:
        config = segmentor_base(plan, name)
        for root in plan.data.values():
            check_parts(with_data_root(config, root))


def _check_number(value: object, least: int, what: str) -> None:
    if not isinstance(value, int) or value < least:
        raise ValueError(f'{what} must be a whole number, at least {least}; got {value!r}.')


def _check_numbers(values: object, least: int, what: str) -> None:
    if not isinstance(values, (list, tuple)) or len(set(values)) < len(values):
        raise ValueError(f'{what} must be a list of different whole numbers; got {values!r}.')
    for value in values:
        _check_number(value, least, f'{what}: each')


def _check_data(split: str, root: Path, path: str) -> None:
    if not root.is_dir():
        raise FileNotFoundError(
            f'{path}: no data set at {root}. Convert one for each split: tools/dataset_converters/metaldam.py ... '
            '--split NAME, or micrographs.py beside it for your own.'
        )
    # A data set converted with another split than its name says would pass for that.
    record = read_record(root)
    if split in split_names() and record:
        converted_with = (record.get('split') or {}).get('name')
        if converted_with != split:
            raise ValueError(
                f'{path}: {root} holds the split {converted_with!r}, not {split!r}. Convert it with --split {split}.'
            )


def _check_method(plan: Plan, name: str, method: Method, where: str) -> None:
    if name == REAL:
        raise ValueError(f'{where} cannot be called so: that is training on real tiles alone, which is always in.')
    if method.pairs_of:
        owner = plan.methods.get(method.pairs_of)
        if owner is None or owner.pairs_of or any(getattr(method, field) for field in DRAWING):
            raise ValueError(
                f'{where} takes the pairs of {method.pairs_of!r}: that must be a method with a generator of its own, '
                'and nothing may be said here of how pairs are drawn.'
            )
    elif not method.generator:
        raise ValueError(f'{where} needs a generator, or pairs_of.')
    _check_masks(plan, method, where)
    unknown = [part for part in method_generators(method) if part not in plan.generators]
    if unknown:
        raise ValueError(
            f'{where} needs the generator {unknown[0]!r}, but generators has only {sorted(plan.generators)}.'
        )
    if isinstance(method.arguments, str):
        raise ValueError(f'{where}: arguments must be a list of words, got {method.arguments!r}.')
    _check_numbers(method.ratios, 1, f'{where}: ratios')
    if method.real_share is not None and not 0 <= method.real_share <= 1:
        raise ValueError(f'{where}: real_share must be in [0, 1], got {method.real_share}.')
    _check_number(method.real_finish, 0, f'{where}: real_finish')
    if method.real_finish >= plan.epochs:
        raise ValueError(f'{where}: real_finish must be below the {plan.epochs} epochs, got {method.real_finish}.')


def _check_masks(plan: Plan, method: Method, where: str) -> None:
    if method.remodel and not method.masks:
        raise ValueError(f'{where}: remodel changes label maps that are given; name their folder as masks.')
    if method.masks and method.image:
        raise ValueError(f'{where}: masks take the place of a mask model; name the image model as generator.')
    missing = [root for root in plan.data.values() if method.masks and not Path(root, method.masks).is_dir()]
    if missing:
        raise FileNotFoundError(f'{where}: there is no folder {Path(missing[0], method.masks)} of label maps.')
