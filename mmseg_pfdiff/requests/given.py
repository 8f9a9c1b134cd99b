"""GivenFractions: the phase fractions of label maps that images are drawn for as they are."""

from collections.abc import Sequence

from torch import Tensor

from ..phases.fractions import real_vectors
from .base import FractionRequest, describe_vectors


class GivenFractions:
    """Serves the fractions of label map i to pair i, of the first one again after the last.

    Args:
        vectors: (R, K) fractions of the label maps, each row sums to 1.
        classes: K class names in the order of the vectors.

    Raises:
        ValueError: Vectors of another shape.
    """

    group = 'given'
    num = None

    def __init__(self, vectors: Tensor, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)
        self.vectors = real_vectors(vectors, self.classes)

    def __call__(self, seed: int, index: int) -> FractionRequest:
        """The request of pair `index`, whatever the seed."""
        return FractionRequest(self.vectors[index % len(self.vectors)], self.group)

    def describe(self) -> dict:
        """The identity of these requests in a pair folder; JSON-like."""
        return dict(type=type(self).__name__, **describe_vectors(self.vectors))
