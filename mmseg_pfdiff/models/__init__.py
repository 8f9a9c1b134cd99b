"""Models: generators of pairs by diffusion and by adversarial training, their cascades, and segmentors.

May import `phases`, `requests`, `data` and `pairs`.
"""

from . import segmentors
from .cascade import PairCascade
from .diffusion import MaskDiffusion, MaskToImageDiffusion, PairDiffusion, PairSuperResolution, PairUNet, PFDiffSeg
from .diffusion.samplers import SAMPLERS, RenoiseScheduler, Sampler, build_sampler
from .gan import DCGAN, MaskPainter, PairPainter, Pix2PixHD
from .preprocessor import DecodedPairs, PairDataPreprocessor
from .two_stage import TwoStageCascade

__all__ = [
    'DCGAN',
    'SAMPLERS',
    'DecodedPairs',
    'MaskDiffusion',
    'MaskPainter',
    'MaskToImageDiffusion',
    'PFDiffSeg',
    'PairCascade',
    'PairDataPreprocessor',
    'PairDiffusion',
    'PairPainter',
    'PairSuperResolution',
    'PairUNet',
    'Pix2PixHD',
    'RenoiseScheduler',
    'Sampler',
    'TwoStageCascade',
    'build_sampler',
    'segmentors',
]
