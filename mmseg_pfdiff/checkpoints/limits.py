"""Limits on what the files of an exported generator may say: a stranger's numbers cost a message, not the memory."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..texts import short

# Ten times the paper's noise schedule. Schedulers keep tables of this length, and go through it once when opened.
MAX_STEPS = 10_000
# Side of a pair; the paper's are 128 and 256. A field larger than that is drawn by windows.
MAX_SIZE = 4096
# A U-Net of ten stages halves a side nine times. Widths go up to 1280 in well-known ones, blocks to 4 in a stage.
MAX_STAGES = 10
MAX_WIDTH = 8192
MAX_BLOCKS = 16
MAX_PATCH = 64
MAX_FACTOR = 16
# Weights of losses and guidance, noise levels: beyond a hundred nothing but overflow.
MAX_WEIGHT = 100
# Arguments of diffusers' schedulers are few, short and flat, but for a table of noise levels.
MAX_TEXT = 100
MAX_KEYS = 50
MAX_DEPTH = 4
# Texts for people in a card.
MAX_PROSE = 10_000
# What constructors of torch and diffusers raise over arguments that do not go together.
UNFIT = (ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, RuntimeError, TypeError, ValueError)

# JSON knows halves of characters, which no file can hold.
HALVES = re.compile('[\ud800-\udfff]')


class Rule(NamedTuple):
    """Requirement on a value, in words and as a test."""

    wanted: str
    fits: Callable[[Any], bool]


def whole(least: int, most: int) -> Rule:
    """A whole number in a range."""
    return Rule(f'a whole number from {least} to {most}', lambda value: type(value) is int and least <= value <= most)


def number(least: float, most: float) -> Rule:
    """A number in a range."""
    return Rule(
        f'a number from {least} to {most}', lambda value: type(value) in (int, float) and least <= value <= most
    )


def text(most: int = MAX_TEXT) -> Rule:
    """A text of one line or more, not empty, that can be written."""
    return Rule(
        f'a text of at most {most} characters',
        lambda value: isinstance(value, str) and 0 < len(value) <= most and not HALVES.search(value),
    )


def several(rule: Rule, most: int) -> Rule:
    """A list of values of one rule."""
    return Rule(
        f'a list of at most {most}, each {rule.wanted}',
        lambda value: isinstance(value, list | tuple) and 0 < len(value) <= most and all(map(rule.fits, value)),
    )


def optional(rule: Rule) -> Rule:
    """The rule, or None."""
    return Rule(f'{rule.wanted}, or null', lambda value: value is None or rule.fits(value))


COLOUR = Rule('three numbers from 0 to 255', lambda value: _is_colour(value))
COLOURS = several(COLOUR, 255)
# A class name stands in the heads of tables and in file names of plots.
NAMES = several(Rule(f'a printable text of at most {MAX_TEXT} characters', lambda value: _is_name(value)), 255)
SETTINGS: dict[str, Any] = {
    'data_preprocessor': {
        'type': text(),
        'num_classes': whole(2, 255),
        'size': whole(1, MAX_SIZE),
        'code': text(),
        'palette': optional(COLOURS),
    },
    'unet': {
        'block_out_channels': several(whole(1, MAX_WIDTH), MAX_STAGES),
        'layers_per_block': whole(1, MAX_BLOCKS),
        'patch_size': whole(1, MAX_PATCH),
        'norm_num_groups': whole(1, MAX_WIDTH),
    },
    'generator': {
        'channels': whole(1, MAX_WIDTH),
        'num_blocks': whole(0, MAX_BLOCKS),
        'top_channels': whole(1, MAX_WIDTH),
        'noise_channels': whole(0, MAX_WIDTH),
        'look_codes': whole(1, MAX_WIDTH),
    },
    'grain': {'num': whole(1, MAX_STEPS)},
    'looks': {'num': whole(1, MAX_STEPS)},
    'sampler': {'type': text(), 'steps': whole(1, MAX_STEPS), 'eta': number(0, 1)},
    'noise_schedule': {},
    'num_train_timesteps': whole(1, MAX_STEPS),
    'lambda_l1': number(0, MAX_WEIGHT),
    'min_snr_gamma': optional(number(0, MAX_STEPS)),
    'fraction_guidance': number(0, 1),
    'cond_drop_prob': number(0, 1),
    'cond_jitter': number(0, MAX_WEIGHT),
    'guidance_scale': number(-MAX_WEIGHT, MAX_WEIGHT),
    'factor': whole(1, MAX_FACTOR),
    'max_noise': number(0, MAX_WEIGHT),
}
# Parts that pass further arguments on to a scheduler.
OPEN = ('sampler', 'noise_schedule')
NEEDED = ('data_preprocessor.type', 'data_preprocessor.num_classes', 'data_preprocessor.size')


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuses settings of a model that are absurd, before anything is built from them.

    Args:
        settings: As `read_settings` returns them, from a file.

    Raises:
        ValueError: A value out of its limits, of another type, missing or unknown; the message names its key.
    """
    for name, rule in SETTINGS.items():
        if name in settings:
            check_value(name, settings[name], rule)
    check_plain(settings)
    drawn_in_steps = ('sampler.steps',) if settings.get('type') not in ('PairPainter', 'MaskPainter') else ()
    for key in (*NEEDED, *drawn_in_steps):
        part, _, name = key.partition('.')
        if name not in settings.get(part, {}):
            raise ValueError(f'{key} is missing.')


def check_value(key: str, value: Any, rule: Rule | Mapping) -> None:
    """Refuses a value that its rule does not fit.

    Args:
        key: Its key.
        value: The value.
        rule: A rule, or rules by the names of its parts.

    Raises:
        ValueError: It does not fit.
    """
    if isinstance(rule, Rule):
        if not rule.fits(value):
            raise ValueError(f'{key} must be {rule.wanted}, got {short(value)}.')
        return
    if not isinstance(value, Mapping):
        raise ValueError(f'{key} must be an object, got {short(value)}.')
    unknown = set(value) - set(rule) if key not in OPEN else ()
    if unknown:
        raise ValueError(f'{key} may hold {", ".join(rule)}, got {short(sorted(unknown))}.')
    for name in rule.keys() & value.keys():
        check_value(f'{key}.{name}', value[name], rule[name])


def check_plain(value: Any, key: str = '', depth: int = 0) -> None:
    """Refuses settings that are no plain data, or endless, wherever they stand.

    Args:
        value: Nested objects, lists, texts and numbers.
        key: Where it stands.
        depth: Number of objects and lists around it.

    Raises:
        ValueError: Huge numbers, long texts or lists, deep nesting.
    """
    if isinstance(value, str):
        check_value(key, value or ' ', text())
    elif type(value) in (int, float):
        check_value(key, value, number(-MAX_STEPS, MAX_STEPS))
    elif isinstance(value, Mapping | list | tuple):
        most = MAX_KEYS if isinstance(value, Mapping) else MAX_STEPS
        if depth == MAX_DEPTH or len(value) > most:
            raise ValueError(f'{key} is nested too deeply, or has more than {most} items.')
        for name, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            check_plain(inner, f'{key}.{str(name)[:MAX_TEXT]}'.lstrip('.'), depth + 1)
    elif value is not None and not isinstance(value, bool):
        raise ValueError(f'{key} must be plain data, got {short(value)}.')


def one_line(error: Exception) -> str:
    """The message of an error of another library, in one short line."""
    return ' '.join(str(error).split())[:400] or type(error).__name__


def _is_colour(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 3
        and all(type(channel) is int and 0 <= channel <= 255 for channel in value)
    )


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT and value.isprintable()
