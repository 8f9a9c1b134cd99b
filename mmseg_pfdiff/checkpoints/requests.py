"""Where the phase fractions to draw for come from: a generator's config or folder, or a command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mmseg.registry import TASK_UTILS
from torch import Tensor

from ..requests.planner import FractionPlanner
from ..requests.sampler import FractionRequest
from ..requests.table import RequestedFractions, parse_shares
from .identity import canonical
from .limits import one_line

if TYPE_CHECKING:
    from .open import OpenedGenerator

RequestSource = Callable[[int, int], FractionRequest]


def build_requests(settings: Mapping[str, Any], classes: Sequence[str], vectors: Tensor) -> RequestSource:
    """The source of fractions that a generator asks for by itself.

    Args:
        settings: `fraction_sampler` of its config: arguments of `FractionSampler`, or of the `type` it names.
        classes: K class names.
        vectors: (R, K) float64, fractions of the training tiles.

    Returns:
        The source.

    Raises:
        ValueError: Settings that do not fit the classes or the tiles, or that the source does not take.
    """
    if not isinstance(settings, Mapping):
        raise ValueError(f'fraction_sampler must be a dict of settings, got {settings!r}.')
    settings = {'type': 'FractionSampler', **settings}
    try:
        return TASK_UTILS.build({**settings, 'vectors': vectors, 'classes': tuple(classes)})
    except (AttributeError, KeyError, RuntimeError, TypeError) as error:
        raise ValueError(f'fraction_sampler is no {settings["type"]} with {settings}: {one_line(error)}') from error
    except ValueError as error:
        raise ValueError(f'fraction_sampler: {error}') from error


def describe_requests(source: RequestSource, settings: Mapping[str, Any] | None = None) -> dict:
    """What identifies a source of fractions in a pair folder.

    Args:
        source: The source.
        settings: It was built with; they stand for one that does not describe itself.

    Returns:
        JSON-like description.
    """
    if hasattr(source, 'description'):
        return canonical(source.description())
    return dict(type=type(source).__name__, settings=canonical(settings or {}))


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
        return opened.requests, opened.requests_description
    return source, describe_requests(source)


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
