"""The diffusion models: phase fractions to pairs, and pairs to twice their resolution."""

from .cascade import PairCascade
from .pair_diffusion import PairDiffusion
from .pf_diffseg import PFDiffSeg
from .preprocessor import DecodedPairs, PairDataPreprocessor
from .samplers import SAMPLERS, RenoiseScheduler, Sampler, build_sampler
from .super_resolution import PairSuperResolution
from .unet import PairUNet

__all__ = [
    'SAMPLERS',
    'DecodedPairs',
    'PFDiffSeg',
    'PairCascade',
    'PairDataPreprocessor',
    'PairDiffusion',
    'PairSuperResolution',
    'PairUNet',
    'RenoiseScheduler',
    'Sampler',
    'build_sampler',
]
