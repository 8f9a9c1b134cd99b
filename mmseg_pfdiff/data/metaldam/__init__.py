"""MetalDAM: its release, its named splits, their conversion, and the data set of what that writes."""

from .dataset import MetalDAMDataset

__all__ = ['MetalDAMDataset']
