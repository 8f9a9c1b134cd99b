"""FractionPlanner: fractions to generate so that a whole synthetic data set has the class shares asked for."""

from collections.abc import Mapping, Sequence
from numbers import Real

import torch
from mmseg.registry import TASK_UTILS
from torch import Tensor

from ..phases.fractions import check_jitter, perturb_fractions, real_vectors
from ..phases.seeding import sample_generator
from .base import FractionRequest, describe_vectors

# A mean within this of the target counts as reached: a hundredth of a point.
TOLERANCE = 1e-4
# Strengths of the penalty on the tilt, weaker and weaker, each solved from the solution before.
RIDGES = tuple(10.0**-n for n in range(2, 11))
NEWTON_STEPS = 50
GOLDEN_RATIO = (5**0.5 - 1) / 2


@TASK_UTILS.register_module()
class FractionPlanner:
    """Draws perturbed real fraction vectors whose mean is a given one, in place of fixed groups.

    Real vector v_r is drawn with probability w_r ~ exp(lambda . v_r). Of all weights whose mean is the target, these
    keep most of the variety of the real tiles (they have the highest entropy). Classes that are not named follow from
    the tiles drawn. The drawn vector is jittered by Eq. 7; the slight push of that jitter on rare classes, whose
    fractions cannot become negative, is allowed for.

    The vectors of successive indices are spread evenly over the weights, so that the mean of N pairs nears the target
    as fast as 1 / N; independent draws would leave some tenths of a point between thousands of pairs and the target.

    Args:
        vectors: (R, K) fractions of the real tiles, each row sums to 1.
        classes: K class names in the order of the vectors.
        target_mean: Share of each class that matters, by its name: the mean over all pairs.
        sigma: Of Eq. 7.
        epsilon: Of Eq. 7.

    Attributes:
        weights: (R,) float64, the probability of each real vector.
        effective_vectors: By how many equally likely vectors the pairs would be as varied: exp of the entropy of the
            weights. A small number says that the pairs repeat the composition of few tiles.

    Raises:
        ValueError: Vectors that do not fit the classes, unknown classes, shares out of range, or a target that no mix
            of the real vectors reaches; the message tells what can be reached.
    """

    group = 'planned'
    num = None

    def __init__(
        self,
        vectors: Tensor,
        classes: Sequence[str],
        target_mean: Mapping[str, float],
        sigma: float = 0.02,
        epsilon: float = 0.01,
    ) -> None:
        self.classes = tuple(classes)
        self.vectors = real_vectors(vectors, self.classes)
        check_jitter(sigma, epsilon)
        check_target_mean(target_mean, self.classes)
        self.target_mean = {name: float(share) for name, share in target_mean.items()}
        self.sigma = sigma
        self.epsilon = epsilon
        self.weights = self._plan()
        # Along the tilt, so that neighbours are alike and each stretch of indices meets all of it.
        self._order = self.weights.argsort(stable=True)
        self._steps = self.weights[self._order].cumsum(0)

    @classmethod
    def check(cls, settings: Mapping, classes: Sequence[str]) -> None:
        """:func:`check_target_mean` of the settings."""
        check_target_mean(settings.get('target_mean'), classes)

    def _plan(self) -> Tensor:
        """The weights; refuses a target out of reach."""
        means = mean_perturbed(self.vectors, self.sigma, self.epsilon)
        named = means[:, [self.classes.index(name) for name in self.target_mean]]
        target = torch.tensor(list(self.target_mean.values()), dtype=torch.float64)
        weights = tilted_weights(named, target)
        reached = weights @ named
        if (reached - target).abs().max() > TOLERANCE:
            ranges = zip(self.classes, means.amin(0).tolist(), means.amax(0).tolist(), strict=True)
            nearest = zip(self.target_mean, reached.tolist(), strict=True)
            raise ValueError(
                f'target_mean {self.target_mean} is out of reach: no mix of the {len(self.vectors)} real fraction '
                f'vectors has this mean. The nearest that one has is {_shares(nearest)}. Each class for itself can '
                f'be: {", ".join(f"{name} {low:.4f}..{high:.4f}" for name, low, high in ranges)}. Ask for shares '
                'within reach, or add tiles that show more of what is missing.'
            )
        return weights

    @property
    def effective_vectors(self) -> float:
        """Exp of the entropy of the weights, in [1, R]."""
        return torch.special.entr(self.weights).sum().exp().item()

    def __call__(self, seed: int, index: int) -> FractionRequest:
        """The request of sample `index`, a function of (seed, index) alone.

        Args:
            seed: Seed of the run, >= 0.
            index: Index of the sample, >= 0.

        Returns:
            c' (K,) float64 and the group 'planned'.
        """
        generator = sample_generator(seed, index, 'fractions')
        start = torch.rand((), dtype=torch.float64, generator=sample_generator(seed, 0, 'fractions')).item()
        position = (start + index * GOLDEN_RATIO) % 1  # in [0, 1); any stretch of indices covers it evenly
        place = int(torch.searchsorted(self._steps, position, right=True))
        base = self.vectors[self._order[min(place, len(self._order) - 1)]]  # the sum of the weights may round below 1
        return FractionRequest(perturb_fractions(base, self.sigma, self.epsilon, generator), self.group)

    def describe(self) -> dict:
        """The identity of these requests in a pair folder; JSON-like."""
        settings = dict(target_mean=self.target_mean, sigma=self.sigma, epsilon=self.epsilon)
        return dict(type=type(self).__name__, **describe_vectors(self.vectors), **settings)


def check_target_mean(target_mean: Mapping[str, float], classes: Sequence[str]) -> None:
    """Refuses a target that no tiles could reach; this needs no tiles.

    Args:
        target_mean: As of :class:`FractionPlanner`.
        classes: K class names.

    Raises:
        ValueError: Another form, a name that is no class, or shares out of range.
    """
    named = isinstance(target_mean, Mapping) and target_mean and all(name in classes for name in target_mean)
    if not named:
        raise ValueError(
            f'target_mean names the classes whose shares matter, of {", ".join(classes)}; got {str(target_mean)[:200]}.'
        )
    shares = target_mean.values()
    numbers = all(isinstance(share, Real) and not isinstance(share, bool) for share in shares)
    if not numbers or not all(0 <= share <= 1 for share in shares) or not sum(shares) <= 1 + TOLERANCE:
        raise ValueError(
            f'Shares of target_mean must be in [0, 1] and sum to at most 1, got {str(target_mean)[:200]}. Write shares '
            'of 1, not percent.'
        )


def mean_perturbed(fractions: Tensor, sigma: float, epsilon: float) -> Tensor:
    """Mean of c' of Eq. 7 with its clamp at zero, to first order in the jitter's deviation.

    Args:
        fractions: (..., K) float, c.
        sigma: Of Eq. 7.
        epsilon: Of Eq. 7.

    Returns:
        (..., K), same dtype, each vector sums to 1.
    """
    # A deviation of zero would give 0 / 0 for absent classes.
    deviation = (sigma * (fractions + epsilon)).clamp(min=torch.finfo(fractions.dtype).tiny)
    z = fractions / deviation
    density = torch.distributions.Normal(0.0, 1.0).log_prob(z).exp()
    mean = fractions * torch.special.ndtr(z) + deviation * density  # E max(0, c + s N)
    return mean / mean.sum(-1, keepdim=True)


def tilted_weights(vectors: Tensor, target: Tensor) -> Tensor:
    """The weights of highest entropy whose mean vector is the target, or the nearest to it that there is.

    Solves the convex dual, min over lambda of log sum_r exp(lambda . (v_r - target)) + ridge / 2 |lambda|^2, by Newton
    steps for ever smaller ridges. The ridge keeps lambda finite where the target lies on the border of what the
    vectors span or beyond it: there the mean ends at the nearest point that they reach.

    Args:
        vectors: (R, J) float64.
        target: (J,) float64.

    Returns:
        (R,) float64 >= 0, sums to 1.
    """
    centred = vectors - target
    tilt = torch.zeros_like(target)
    identity = torch.eye(len(target), dtype=target.dtype)

    def dual(at: Tensor, ridge: float) -> Tensor:
        return (centred @ at).logsumexp(0) + ridge / 2 * at @ at

    for ridge in RIDGES:
        for _ in range(NEWTON_STEPS):
            weights = (centred @ tilt).softmax(0)
            mean = weights @ centred
            gradient = mean + ridge * tilt
            if gradient.abs().max() < TOLERANCE / 100:
                break
            hessian = centred.T @ (weights[:, None] * centred) - torch.outer(mean, mean) + ridge * identity
            step = torch.linalg.solve(hessian, gradient)
            size = 1.0
            # Halved until it lowers the dual enough: a full step may overshoot where few vectors hold all weight.
            while dual(tilt - size * step, ridge) > dual(tilt, ridge) - 1e-4 * size * gradient @ step and size > 1e-9:
                size /= 2
            tilt = tilt - size * step
    return (centred @ tilt).softmax(0)


def _shares(pairs) -> str:
    return ', '.join(f'{name} {share:.4f}' for name, share in pairs)
