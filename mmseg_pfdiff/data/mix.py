"""SyntheticPairMix: real and synthetic samples at a chosen ratio."""

import copy

from mmengine.dataset import BaseDataset
from mmseg.registry import DATASETS


@DATASETS.register_module()
class SyntheticPairMix:
    """Concatenates a real data set with `ratio` synthetic samples for each real one (the paper's x0..x10).

    Samples 0..R-1 are the real ones, R..R*(1+ratio)-1 the first synthetic ones. Shuffling is the sampler's work. Each
    sample says in its meta information (`synthetic`) where it comes from.

    Args:
        real: Any data set or its config.
        synthetic: Any data set or its config, of the same classes. Not built at ratio 0.
        ratio: r, synthetic samples per real sample, a whole number >= 0.
        repeat_synthetic: Go round again where there are fewer than r * R synthetic samples, in place of an error.
        lazy_init: Read neither data set before :meth:`full_init`.

    Raises:
        ValueError: Bad ratio, differing classes, or too few synthetic samples.
    """

    def __init__(
        self,
        real: BaseDataset | dict,
        synthetic: BaseDataset | dict,
        ratio: int,
        *,
        repeat_synthetic: bool = False,
        lazy_init: bool = False,
    ) -> None:
        if not isinstance(ratio, int) or isinstance(ratio, bool) or ratio < 0:
            raise ValueError(f'ratio must be a whole number >= 0 of synthetic samples per real one, got {ratio!r}.')
        self.ratio = ratio
        self.repeat_synthetic = repeat_synthetic
        self.real = self._build(real)
        self.synthetic = self._build(synthetic) if ratio else None
        self._metainfo = copy.deepcopy(self.real.metainfo)
        if self.synthetic is not None and self._classes(self.synthetic) != self._classes(self.real):
            raise ValueError(
                f'The real data set has the classes {self._classes(self.real)}, the synthetic one '
                f'{self._classes(self.synthetic)}: they must be the same, in the same order.'
            )
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @staticmethod
    def _build(dataset: BaseDataset | dict) -> BaseDataset:
        """Inner data sets stay unread until `full_init`, whatever their own config says."""
        if isinstance(dataset, dict):
            return DATASETS.build({**dataset, 'lazy_init': True})
        return dataset

    @staticmethod
    def _classes(dataset: BaseDataset) -> tuple[str, ...]:
        return tuple(dataset.metainfo['classes'])

    @property
    def metainfo(self) -> dict:
        """A copy of the real data set's meta information."""
        return copy.deepcopy(self._metainfo)

    def full_init(self) -> None:
        """Reads both data sets and checks that there are enough synthetic samples.

        Raises:
            ValueError: There are fewer than the ratio needs.
        """
        if self._fully_initialized:
            return
        self.real.full_init()
        if self.synthetic is not None:
            self.synthetic.full_init()
            needed, there = self.ratio * len(self.real), len(self.synthetic)
            if there < needed and not (self.repeat_synthetic and there):
                raise ValueError(
                    f'ratio={self.ratio} with {len(self.real)} real samples needs {needed} synthetic ones, there are '
                    f'{there} (pairs marked as not kept do not count). Generate more (the command of the folder with a '
                    'larger --num), lower the ratio (train_dataloader.dataset.ratio), or set repeat_synthetic=True.'
                )
        self._fully_initialized = True

    def __len__(self) -> int:
        self.full_init()
        return len(self.real) * (1 + self.ratio)

    def _locate(self, index: int) -> tuple[BaseDataset, int, bool]:
        """Index of the mix -> (data set, index there, whether synthetic)."""
        size = len(self)
        if not -size <= index < size:
            raise IndexError(f'index {index} is out of range for {size} samples.')
        index %= size
        if index < len(self.real):
            return self.real, index, False
        return self.synthetic, (index - len(self.real)) % len(self.synthetic), True

    def get_data_info(self, index: int) -> dict:
        """The annotation dict of a sample, with `synthetic` added."""
        dataset, inner, synthetic = self._locate(index)
        return {**dataset.get_data_info(inner), 'synthetic': synthetic}

    def __getitem__(self, index: int) -> dict:
        """The sample after its own data set's pipeline; `synthetic` is set in it and in its data sample's meta."""
        dataset, inner, synthetic = self._locate(index)
        sample = dataset[inner]
        if 'data_samples' in sample:
            sample['data_samples'].set_metainfo(dict(synthetic=synthetic))
        else:
            sample['synthetic'] = synthetic
        return sample
