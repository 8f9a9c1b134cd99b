"""FractionSampler: which phase fractions to generate (Section 2.2.2 of the paper)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmseg.registry import TASK_UTILS
from torch import Tensor

from .fractions import perturb_fractions, real_vectors
from .seeding import sample_generator

# The paper's mixture: 70 % from all real vectors, 20 % from those rich in MA, 10 % from those rich in defect.
PAPER_GROUPS = (
    dict(name='uniform', share=0.7),
    dict(name='rich_martensite_austenite', share=0.2, phase='martensite_austenite', richest=0.1),
    dict(name='rich_defect', share=0.1, phase='defect', richest=0.1),
)


class FractionRequest(NamedTuple):
    """What to generate: c' (K,) float64 and the name of the group it was drawn from."""

    fractions: Tensor
    group: str


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
        self.sigma = sigma
        self.epsilon = epsilon
        for group in groups:
            if not {'name', 'share'} <= set(group) <= {'name', 'share', 'phase', 'richest'}:
                raise ValueError(f'A group has a name, a share, and perhaps phase and richest; got {dict(group)}.')
        total = sum(group['share'] for group in groups)
        if not math.isclose(total, 1, abs_tol=1e-6) or any(group['share'] < 0 for group in groups):
            raise ValueError(f'The shares of the groups must be >= 0 and sum to 1, got {total:g}: {list(groups)}.')
        self.names = [group['name'] for group in groups]
        self.shares = torch.tensor([group['share'] for group in groups], dtype=torch.float64)
        self.members = [self._members(**group) for group in groups]

    def _members(self, name: str, share: float, phase: str | None = None, richest: float = 1.0) -> Tensor:
        """Indices of the vectors a group draws from."""
        if not 0 < richest <= 1:
            raise ValueError(f'Group {name!r}: richest must be in (0, 1], got {richest}.')
        if phase is None:
            return torch.arange(len(self.vectors))
        if phase not in self.classes:
            raise ValueError(f'Group {name!r}: no class is called {phase!r}; the classes are {self.classes}.')
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
