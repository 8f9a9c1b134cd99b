"""The segmentation side: networks of segmentation_models_pytorch as mmseg components, sliding windows."""

from .sliding_window import SlidingWindowEncoderDecoder
from .smp_decoder import SMPDecoderHead, convert_smp_state_dict
from .smp_dice import SMPDiceLoss
from .smp_encoder import SMPEncoder
from .test_time import MicrographTTAModel

__all__ = [
    'MicrographTTAModel',
    'SMPDecoderHead',
    'SMPDiceLoss',
    'SMPEncoder',
    'SlidingWindowEncoderDecoder',
    'convert_smp_state_dict',
]
