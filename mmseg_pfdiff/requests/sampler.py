"""FractionSampler: fractions of real tiles, jittered, rare phases more often (Section 2.2.2 of the paper)."""

import math
from collections.abc import Mapping, Sequence
from numbers import Real

import torch
from mmseg.registry import TASK_UTILS
from torch import Tensor

from ..phases.fractions import check_jitter, perturb_fractions, real_vectors
from ..phases.seeding import sample_generator
from .base import FractionRequest, describe_vectors

# The paper's mixture: 70 % from all real vectors, 20 % from those rich in MA, 10 % from those rich in defect.
PAPER_GROUPS = (
    dict(name='uniform', share=0.7),
    dict(name='rich_martensite_austenite', share=0.2, phase='martensite_austenite', richest=0.1),
    dict(name='rich_defect', share=0.1, phase='defect', richest=0.1),
)
# Each group of a folder is a pass over all tiles; a mixture of more than a few is not meant.
MAX_GROUPS = 100
# It stands in every row of a pair folder.
MAX_NAME = 100


@TASK_UTILS.register_module()
class FractionSampler:
    """Draws perturbed real fraction vectors, rare phases more often.

    Args:
        vectors: (R, K) fractions of the real tiles, each row sums to 1.
        classes: K class names in the order of the vectors.
        groups: A group has a `name`, a `share` (they sum to 1), and to be rich in a phase, that `phase` and
            `richest`: the part of all vectors, in (0, 1], with most of it. Vectors without any of the phase never
            count as rich in it.
        sigma: Of Eq. 7.
        epsilon: Of Eq. 7.

    Raises:
        ValueError: Vectors or groups that do not fit the classes, shares that do not sum to 1, a group no real vector
            belongs to.
    """

    num = None

    def __init__(
        self,
        vectors: Tensor,
        classes: Sequence[str],
        groups: Sequence[dict] = PAPER_GROUPS,
        sigma: float = 0.02,
        epsilon: float = 0.01,
    ) -> None:
        self.classes = tuple(classes)
        self.vectors = real_vectors(vectors, self.classes)
        check_jitter(sigma, epsilon)
        check_groups(groups, self.classes)
        self.sigma = sigma
        self.epsilon = epsilon
        self.groups = [{'phase': None, 'richest': 1.0, **group} for group in groups]
        self.names = [group['name'] for group in groups]
        self.shares = torch.tensor([group['share'] for group in groups], dtype=torch.float64)
        self.members = [self._members(**group) for group in self.groups]

    @classmethod
    def check(cls, settings: Mapping, classes: Sequence[str]) -> None:
        """:func:`check_groups` of settings that may leave the groups to their default."""
        check_groups(settings.get('groups', PAPER_GROUPS), classes)

    def _members(self, name: str, share: float, phase: str | None, richest: float) -> Tensor:
        """Indices of the vectors a group draws from."""
        if phase is None:
            return torch.arange(len(self.vectors))
        amount = self.vectors[:, self.classes.index(phase)]
        order = amount.argsort(descending=True, stable=True)[: max(1, round(richest * len(amount)))]
        members = order[amount[order] > 0]
        if share > 0 and not len(members):
            raise ValueError(
                f'Group {name!r}: none of the {len(amount)} real vectors holds any {phase}. Set its share to 0 and '
                'give it to another group, or add tiles that show the phase.'
            )
        return members

    def __call__(self, seed: int, index: int) -> FractionRequest:
        """The request of sample `index`, a function of (seed, index) alone.

        Args:
            seed: Seed of the run, >= 0.
            index: Index of the sample, >= 0.

        Returns:
            c' and the group it comes from.
        """
        generator = sample_generator(seed, index, 'fractions')
        group = int(torch.multinomial(self.shares, 1, generator=generator))
        members = self.members[group]
        base = self.vectors[members[torch.randint(len(members), (), generator=generator)]]
        return FractionRequest(perturb_fractions(base, self.sigma, self.epsilon, generator), self.names[group])

    def describe(self) -> dict:
        """The identity of these requests in a pair folder; JSON-like."""
        settings = dict(groups=self.groups, sigma=self.sigma, epsilon=self.epsilon)
        return dict(type=type(self).__name__, **describe_vectors(self.vectors), **settings)


def check_groups(groups: Sequence[Mapping], classes: Sequence[str]) -> None:
    """Refuses groups that no tiles could serve; this needs no tiles.

    Args:
        groups: As of :class:`FractionSampler`.
        classes: K class names.

    Raises:
        ValueError: Another form, shares that do not sum to 1, a phase that is no class, `richest` out of range.
    """
    if not isinstance(groups, list | tuple) or not 1 <= len(groups) <= MAX_GROUPS:
        raise ValueError(f'groups must be a list of 1 to {MAX_GROUPS} groups, got {str(groups)[:200]}.')
    for group in groups:
        _check_group(group, classes)
    total = sum(group['share'] for group in groups)
    if not math.isclose(total, 1, abs_tol=1e-6):
        raise ValueError(f'The shares of the groups must sum to 1, got {total:g}: {[dict(group) for group in groups]}.')


def _check_group(group: Mapping, classes: Sequence[str]) -> None:
    if not isinstance(group, Mapping) or not {'name', 'share'} <= set(group) <= {'name', 'share', 'phase', 'richest'}:
        raise ValueError(f'A group has a name, a share, and perhaps phase and richest; got {str(group)[:200]}.')
    name, phase = group['name'], group.get('phase')
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise ValueError(
            f'The name of a group must be a text of at most {MAX_NAME} characters, got {str(name)[:40]!r}.'
        )
    for key, least in (('share', 0.0), ('richest', math.ulp(0.0))):
        value = group.get(key, 1.0)
        if isinstance(value, bool) or not isinstance(value, Real) or not least <= value <= 1:
            raise ValueError(
                f'Group {name!r}: {key} must be in {"[" if least == 0 else "("}0, 1], got {str(value)[:40]}.'
            )
    if phase is not None and phase not in classes:
        raise ValueError(
            f'Group {name!r} of the fraction_sampler: no class is called {str(phase)[:40]!r}; the classes are '
            f'{", ".join(classes)}. Say in fraction_sampler.groups which phases matter here.'
        )
