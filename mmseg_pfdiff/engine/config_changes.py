"""Changes of a config since a checkpoint was written: those that make another training, and those that are applied."""

import ast
import re
from typing import Any

from mmengine.config import Config

from ..changes import Change, changes

# Settings, as dotted paths, of which a training with other ones would be another training ...
ANOTHER_RUN = (
    r'(model|data_preprocessor|train_dataloader|custom_hooks)(\..+)?',
    r'optim_wrapper\.(constructor|modules|(.+\.)?optimizer\.type)',
    r'train_cfg\.type',
    r'default_hooks\.checkpoint\.(save_best|rule)',
)
# ... but for these: where files lie, how they are read, where weights came from, how is drawn or tested.
HARMLESS = (
    r'(.+\.)?data_root',
    r'(.+\.)?backend_args(\..+)?',
    r'train_dataloader\.(num_workers|persistent_workers|pin_memory|prefetch_factor|timeout)',
    r'train_dataloader\..+\.(lazy_init|serialize_data)',
    r'model\.(.+\.)?(init_cfg|pretrained|weights|test_cfg)(\..+)?',
    r'model\.(sampler|guidance_scale|fraction_guidance)(\..+)?',
)
# Settings that a resumed training takes from the present config, from the checkpoint's iteration on.
APPLIED = r'(optim_wrapper|param_scheduler|train_cfg|auto_scale_lr)(\..+)?'
# What `by_epoch` stands for where a loop has no type.
LOOPS = {True: 'EpochBasedTrainLoop', False: 'IterBasedTrainLoop', None: None}


def config_changes(before: str, now: Config) -> tuple[list[Change], list[Change]]:
    """Changes of a config since a checkpoint was written.

    Args:
        before: The config as text, as MMEngine stores it in a checkpoint. It is read, not run.
        now: The present config.

    Returns:
        The changes that make another training, and those that a resumed training applies; each as path, value before
        and value now (None where there is none). Other changes do not matter to training.

    Raises:
        ValueError: The text is no config.
    """
    settings = (_decisive(settings_of(text)) for text in (before, now.pretty_text))
    every = list(changes(*settings, lists=True))
    another = [change for change in every if _matches(change[0], ANOTHER_RUN) and not _matches(change[0], HARMLESS)]
    # A choice of the best weights can be begun later on, and ended.
    another = [change for change in another if None not in change[1:] or not change[0].startswith('default_hooks')]
    return another, [change for change in every if change not in another and re.fullmatch(APPLIED, change[0])]


def describe_changes(listed: list[Change]) -> str:
    """Changes in words."""
    return ', '.join(f'{path} is {_short(now)} and was {_short(before)}' for path, before, now in listed)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f'{text[:77]}...'


def settings_of(text: str) -> dict:
    """The settings in the text of a config, read without running it.

    Args:
        text: Python, assignments of literals and `dict(...)`.

    Returns:
        Name -> value; tuples as lists, and what is no literal as its text.

    Raises:
        ValueError: It is no Python.
    """
    try:
        lines = ast.parse(text).body
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f'the text of the config cannot be read ({error})') from error
    assignments = [line for line in lines if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name)]
    return {line.targets[0].id: _value(line.value) for line in assignments}


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {str(_value(key)): _value(item) for key, item in zip(node.keys, node.values, strict=True)}
    if isinstance(node, ast.Call) and ast.unparse(node.func) == 'dict':
        if len(node.args) == 1:  # how MMEngine writes keys that are no names
            return _value(node.args[0])
        # MMEngine marks what comes from the config of another package; it is the same under its own path.
        return {keyword.arg: _value(keyword.value) for keyword in node.keywords if keyword.arg != '_scope_'}
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return ast.unparse(node)


def _decisive(settings: dict) -> dict:
    """The settings, with the kind of loop under one name, and of the custom hooks those that average the weights."""
    hooks = settings.get('custom_hooks') or []
    averaging = {hook['type']: hook for hook in hooks if 'EMA' in str(hook.get('type'))}
    loop = dict(settings.get('train_cfg') or {})
    by_epoch = loop.pop('by_epoch', None)
    loop.setdefault('type', LOOPS[by_epoch])
    return {**settings, 'custom_hooks': averaging, 'train_cfg': loop}


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(re.fullmatch(pattern, path) for pattern in patterns)
