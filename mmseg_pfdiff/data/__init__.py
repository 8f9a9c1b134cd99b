"""Data: from the files of micrographs and label maps to data sets, samplers and transforms.

May import `phases` and `requests`.
"""

from .dataset import MicrographDataset
from .metaldam import MetalDAMDataset
from .mix import SyntheticPairMix
from .samplers import FixedLengthSampler, MixSampler, SpacedSampler
from .transforms import LoadLabelMap, LoadMicrograph, PackMicrograph, RandomSquareSymmetry

__all__ = [
    'FixedLengthSampler',
    'LoadLabelMap',
    'LoadMicrograph',
    'MetalDAMDataset',
    'MicrographDataset',
    'MixSampler',
    'PackMicrograph',
    'RandomSquareSymmetry',
    'SpacedSampler',
    'SyntheticPairMix',
]
