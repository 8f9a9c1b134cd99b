"""RealFinishSampler: a mix of real and synthetic samples first, real ones alone at the end."""

from mmseg.registry import DATA_SAMPLERS

from .fixed_length_sampler import FixedLengthSampler
from .pair_mix import SyntheticPairMix


@DATA_SAMPLERS.register_module()
class RealFinishSampler(FixedLengthSampler):
    """Draws from a whole mix up to an epoch, and from its real samples alone from there on.

    What a network learns from synthetic images that are not quite like real ones, it mends in the last epochs. An
    epoch has as many samples before as after.

    Args:
        dataset: The mix.
        length: Samples of an epoch, of all processes together, >= 1.
        start: First epoch of real samples alone, counted from 0, >= 0.
        seed: Same in all processes; MMEngine passes it.
        shuffle: Must be True.

    Raises:
        ValueError: A data set that is no mix, a negative start, or what `FixedLengthSampler` refuses.
    """

    def __init__(
        self, dataset: SyntheticPairMix, length: int, start: int, seed: int | None = None, shuffle: bool = True
    ) -> None:
        if not isinstance(dataset, SyntheticPairMix) or start < 0:
            raise ValueError(
                'RealFinishSampler draws from a SyntheticPairMix, with start >= 0; got a '
                f'{type(dataset).__name__} and start={start}.'
            )
        super().__init__(dataset, length, seed, shuffle)
        self.start = start
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Chooses the stretch, and what it is drawn from: real samples stand first in a mix."""
        super().set_epoch(epoch)
        self.size = len(self.dataset.real) if epoch >= self.start else len(self.dataset)
