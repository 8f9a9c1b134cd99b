"""The diffusion models, phase fractions to pairs and pairs to twice their resolution, and the GAN baseline."""

from .cascade import PairCascade
from .dcgan import DCGAN
from .export import save_cascade
from .model_card import GeneratorCard
from .pair_diffusion import PairDiffusion
from .pf_diffseg import PFDiffSeg
from .pix2pixhd import Pix2PixHD
from .preprocessor import DecodedPairs, PairDataPreprocessor
from .pretrained import load_cascade
from .samplers import SAMPLERS, RenoiseScheduler, Sampler, build_sampler
from .seg_guided import MaskDiffusion, MaskToImageDiffusion
from .super_resolution import PairSuperResolution
from .two_stage import TwoStageCascade
from .unet import PairUNet

__all__ = [
    'DCGAN',
    'SAMPLERS',
    'DecodedPairs',
    'GeneratorCard',
    'MaskDiffusion',
    'MaskToImageDiffusion',
    'PFDiffSeg',
    'PairCascade',
    'PairDataPreprocessor',
    'PairDiffusion',
    'PairSuperResolution',
    'PairUNet',
    'Pix2PixHD',
    'RenoiseScheduler',
    'Sampler',
    'TwoStageCascade',
    'build_sampler',
    'load_cascade',
    'save_cascade',
]
