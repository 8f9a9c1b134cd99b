"""Pairs: generated images and label maps on disk, read as a data set and shown in pictures.

May import `phases`, `requests` and `data`.
"""

from .dataset import SyntheticPairDataset
from .folder import PairFolder
from .grid import pair_grid
from .rows import PairRow

__all__ = ['PairFolder', 'PairRow', 'SyntheticPairDataset', 'pair_grid']
