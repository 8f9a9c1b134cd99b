"""Engine: hooks, optimizers and checks for MMEngine's Runner.

May import all rooms up to `metrics`.
"""

from .atomic_checkpoint import AtomicCheckpointHook
from .averaging import GANAveragingHook
from .optimizers import PerModuleOptimWrapperConstructor
from .painter_hook import PainterHook
from .pair_picture import PairPictureHook
from .repeatable import RepeatableTrainingHook
from .resume import ResumeHook, ValidateOnResumeHook

__all__ = [
    'AtomicCheckpointHook',
    'GANAveragingHook',
    'PainterHook',
    'PairPictureHook',
    'PerModuleOptimWrapperConstructor',
    'RepeatableTrainingHook',
    'ResumeHook',
    'ValidateOnResumeHook',
]
