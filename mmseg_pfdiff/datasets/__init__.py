"""Where pairs come from: MetalDAM, generated pairs, and the two mixed."""

from .fixed_length_sampler import FixedLengthSampler
from .loading import LoadLabelMap, LoadMicrograph
from .metaldam import MetalDAMDataset
from .packing import PackMicrograph
from .pair_folder import PairFolder
from .pair_mix import SyntheticPairMix
from .pair_rows import PairRow
from .real_finish_sampler import RealFinishSampler
from .spaced_sampler import SpacedSampler
from .synthetic_pairs import SyntheticPairDataset
from .transforms import RandomSquareSymmetry

__all__ = [
    'FixedLengthSampler',
    'LoadLabelMap',
    'LoadMicrograph',
    'MetalDAMDataset',
    'PackMicrograph',
    'PairFolder',
    'PairRow',
    'RandomSquareSymmetry',
    'RealFinishSampler',
    'SpacedSampler',
    'SyntheticPairDataset',
    'SyntheticPairMix',
]
