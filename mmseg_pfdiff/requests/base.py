"""RequestSource: what serves a target of phase fractions for each pair, built by the settings of a config."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from mmseg.registry import TASK_UTILS
from torch import Tensor

from ..registry import class_of


class FractionRequest(NamedTuple):
    """The request for one pair.

    Attributes:
        target: c', (K,) float64, the phase fractions asked for; NaN where nothing is asked for.
        group: Name of the group that it was drawn from.
    """

    target: Tensor
    group: str


@runtime_checkable
class RequestSource(Protocol):
    """Serves a request for each pair.

    A source of another package needs no more than these four, and a name in mmseg's registry `TASK_UTILS`; it is built
    with `vectors`, `classes` and its settings in `fraction_sampler` of a config. It may have a class method
    `check(settings, classes)`, which raises a ValueError for settings that no tiles could serve: it is called before a
    generator is trained, when the tiles have not been read.

    Attributes:
        classes: K class names in the order of the targets.
        num: Number of pairs that it serves, indices 0..num-1; None for any number.
    """

    classes: tuple[str, ...]
    num: int | None

    def __call__(self, seed: int, index: int) -> FractionRequest:
        """The request of pair `index`, a function of (seed, index) alone; both are >= 0."""

    def describe(self) -> dict:
        """The identity of the requests in a pair folder.

        Returns:
            JSON-like, with `type`, the name of the class; empty where nothing is asked for.
        """


class Unconditional:
    """Requests for models that cannot be steered: of the group 'unconditional', with targets NaN.

    Args:
        classes: K class names.
    """

    group = 'unconditional'
    num = None

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)
        self.target = torch.full((len(self.classes),), torch.nan, dtype=torch.float64)

    def __call__(self, seed: int, index: int) -> FractionRequest:
        """The same for every pair."""
        return FractionRequest(self.target, self.group)

    def describe(self) -> dict:
        """Nothing."""
        return {}


def describe_vectors(vectors: Tensor) -> dict:
    """The identity of fraction vectors: their number and a hash of their values.

    Args:
        vectors: (R, K) float64.

    Returns:
        `vectors` and `vectors_sha256`.
    """
    return dict(vectors=len(vectors), vectors_sha256=hashlib.sha256(vectors.numpy().tobytes()).hexdigest())


def build_requests(settings: Mapping[str, Any], classes: Sequence[str], vectors: Tensor) -> RequestSource:
    """The source that a config asks for.

    Args:
        settings: `fraction_sampler` of the config: arguments of `FractionSampler`, or of the `type` it names.
        classes: K class names.
        vectors: (R, K) float64, fractions of the training tiles.

    Returns:
        The source.

    Raises:
        ValueError: Settings that do not fit the classes or the tiles, or that the source does not take; or something
            that is no source.
    """
    settings = _typed(settings)
    try:
        source = TASK_UTILS.build({**settings, 'vectors': vectors, 'classes': tuple(classes)})
    except (AttributeError, KeyError, RuntimeError, TypeError) as error:
        message = ' '.join(str(error).split())[:400]
        raise ValueError(f'fraction_sampler is no {settings["type"]} with {settings}: {message}') from error
    except ValueError as error:
        raise ValueError(f'fraction_sampler: {error}') from error
    if not isinstance(source, RequestSource):
        raise ValueError(
            f'fraction_sampler: a {type(source).__name__} is no request source. It must be callable with seed and '
            'index, and have classes, num and describe(), as mmseg_pfdiff.requests.RequestSource says.'
        )
    return source


def check_requests(settings: Mapping[str, Any], classes: Sequence[str]) -> None:
    """Refuses settings that no tiles could serve, as far as their source tells without any.

    Args:
        settings: As of :func:`build_requests`.
        classes: K class names.

    Raises:
        ValueError: No source of that name, or what its `check` raises.
    """
    settings = _typed(settings)
    kind = class_of(settings['type'], TASK_UTILS)
    if kind is None:
        raise ValueError(
            f'fraction_sampler: there is no request source {settings["type"]!r}. Look at its spelling, and import the '
            'module that registers it, by custom_imports.'
        )
    if hasattr(kind, 'check'):
        kind.check({key: value for key, value in settings.items() if key != 'type'}, tuple(classes))


def _typed(settings: Any) -> dict[str, Any]:
    """Settings with the type that stands for none."""
    if not isinstance(settings, Mapping):
        raise ValueError(f'fraction_sampler must be a dict of settings, got {settings!r}.')
    return {'type': 'FractionSampler', **settings}


def number_of_pairs(source: RequestSource, num: int | None = None) -> int:
    """How many pairs to draw: what was asked for, else all that the source serves.

    Args:
        source: The source.
        num: As asked for, or None.

    Returns:
        The number.

    Raises:
        ValueError: No number, below 1, or more than a table has rows.
    """
    rows = source.num
    if num is None and rows is None:
        raise ValueError('How many pairs? Give a number (--num); only a table of fractions implies one, its rows.')
    if (num is not None and num < 1) or (num and rows and num > rows):
        most = '' if rows is None else f' and at most {rows}, the rows of the table'
        raise ValueError(f'The number of pairs must be at least 1{most}; got {num}.')
    return num or rows
