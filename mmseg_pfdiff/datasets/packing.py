"""PackMicrograph: whole micrographs on their way to a segmentor, as small as they can be."""

import numpy as np
import torch
from mmengine.structures import PixelData
from mmseg.datasets.transforms import PackSegInputs
from mmseg.registry import TRANSFORMS
from torch import Tensor

ROWS = 256  # compared at a time


@TRANSFORMS.register_module()
class PackMicrograph(PackSegInputs):
    """mmseg's `PackSegInputs` for test pipelines: the same values in a fraction of the memory.

    The label map stays (1, H, W) uint8 where mmseg makes 8 bytes a pixel of it, which metrics do not need (losses do:
    train with `PackSegInputs`). The equal channels of a grey image share one plane of memory, on the way from a worker
    process too.

    Required Keys:

    - img (optional): (H, W) or (H, W, C)
    - gt_seg_map (optional): (H, W)

    Args:
        meta_keys: As of `PackSegInputs`.
    """

    def transform(self, results: dict) -> dict:
        """Packs a sample.

        Args:
            results: Of the pipeline.

        Returns:
            `inputs`, (C, H, W), and `data_samples`, an mmseg `SegDataSample` with `gt_sem_seg`.
        """
        packed = super().transform({key: value for key, value in results.items() if key not in ('img', 'gt_seg_map')})
        if 'img' in results:
            packed['inputs'] = planes(results['img'])
        if 'gt_seg_map' in results:
            label = torch.from_numpy(np.ascontiguousarray(results['gt_seg_map'])[None])
            packed['data_samples'].gt_sem_seg = PixelData(data=label)
        return packed


def planes(image: np.ndarray) -> Tensor:
    """The channels of an image.

    Args:
        image: (H, W) or (H, W, C), any dtype.

    Returns:
        (C, H, W). Channels that are all equal are one in memory: write to a copy.
    """
    image = image[..., None] if image.ndim == 2 else image
    channels = image.shape[2]
    if channels > 1 and all((part == part[..., :1]).all() for part in np.split(image, range(ROWS, len(image), ROWS))):
        return torch.from_numpy(np.ascontiguousarray(image[..., 0])).expand(channels, -1, -1)
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
