"""Segmentors: networks of segmentation_models_pytorch as components of mmseg, and sliding windows.

They know nothing of generators.
"""

from .decoder import SMPDecoderHead, convert_smp_state_dict
from .dice import SMPDiceLoss
from .encoder import SMPEncoder
from .mixed import MixEncoderDecoder
from .sliding_window import MicrographTTAModel, SlidingWindowEncoderDecoder

__all__ = [
    'MicrographTTAModel',
    'MixEncoderDecoder',
    'SMPDecoderHead',
    'SMPDiceLoss',
    'SMPEncoder',
    'SlidingWindowEncoderDecoder',
    'convert_smp_state_dict',
]
