"""Transforms of pipelines: loading micrographs and label maps, the symmetries of the square, and packing."""

import mmengine.fileio as fileio
import numpy as np
import torch
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmcv.transforms.utils import cache_randomness
from mmengine.structures import PixelData
from mmseg.datasets.transforms import LoadAnnotations, PackSegInputs
from mmseg.registry import TRANSFORMS
from torch import Tensor

from ..phases.labels import IGNORE_INDEX
from .images import check_same_size, decode_image, decode_label_map

BACKEND = 'micrograph'
ROWS = 256  # compared at a time


# Under mmcv's name, as mmseg's inferencer looks for it in the pipelines of configs.
@TRANSFORMS.register_module(name='LoadImageFromFile')
class LoadMicrograph(LoadImageFromFile):
    """mmcv's `LoadImageFromFile`, with one more `imdecode_backend`: `micrograph`.

    It reads what :mod:`mmseg_pfdiff.data.images` reads: upright, grey of more than 8 bits rightly scaled; it refuses
    damaged files, of which OpenCV gives the part that is there, and names them. The other backends are mmcv's.

    Required Keys:

    - img_path

    Added Keys:

    - img: uint8, (H, W, 3) BGR, or (H, W) with `color_type='grayscale'`
    - img_shape, ori_shape: (H, W)

    Args:
        color_type: `color` or `grayscale` with this backend.
        imdecode_backend: `micrograph`, or one of mmcv's.
        **kwargs: As mmcv's: `to_float32`, `backend_args`, ...

    Raises:
        ValueError: Another `color_type`.
    """

    def __init__(self, color_type: str = 'color', imdecode_backend: str = 'cv2', **kwargs) -> None:
        if imdecode_backend == BACKEND and color_type not in ('color', 'grayscale'):
            raise ValueError(f'color_type must be color or grayscale for micrographs, got {color_type!r}.')
        super().__init__(color_type=color_type, imdecode_backend=imdecode_backend, **kwargs)

    def transform(self, results: dict) -> dict | None:
        """Reads the image.

        Args:
            results: With `img_path`.

        Returns:
            The same dict with the image.

        Raises:
            DataError: The file is damaged, or holds what cannot be shown with 8 bits rightly.
        """
        if self.imdecode_backend != BACKEND:
            return super().transform(results)
        path, colour = results['img_path'], self.color_type == 'color'
        image = decode_image(fileio.get(path, backend_args=self.backend_args), path, colour=colour)
        if colour:
            image[..., [0, 2]] = image[..., [2, 0]]
        results['img'] = image.astype(np.float32) if self.to_float32 else image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results


@TRANSFORMS.register_module()
class LoadLabelMap(LoadAnnotations):
    """mmseg's `LoadAnnotations` for label maps, which names a file that it cannot read.

    Label maps may be grey, index PNGs with any palette, or colour with equal channels. A sample without a label map
    passes, so that the pipeline also serves a micrograph alone.

    Required Keys:

    - seg_map_path (optional)
    - reduce_zero_label, label_map, seg_fields: as mmseg's data sets give them
    - ori_shape (optional): of the image as its file holds it, which the label map must match

    Added Keys:

    - gt_seg_map: (H, W) uint8
    - seg_fields

    Args:
        backend_args: Of the file backend, as of mmseg's.
    """

    def __init__(self, backend_args: dict | None = None) -> None:
        super().__init__(backend_args=backend_args)

    def transform(self, results: dict) -> dict:
        """Reads the label map.

        Args:
            results: With `seg_map_path`.

        Returns:
            The same dict with `gt_seg_map`, indices counted and renamed as the data set asks for.

        Raises:
            DataError: The file is damaged, no label map, or of another size than its image.
        """
        return super().transform(results) if results.get('seg_map_path') else results

    def _load_seg_map(self, results: dict) -> None:
        path = results['seg_map_path']
        label = decode_label_map(fileio.get(path, backend_args=self.backend_args), path)
        if 'ori_shape' in results:  # that of the file, also where the image has been resized since
            check_same_size(label.shape, path, results['ori_shape'], results.get('img_path', 'the image'))
        if results.get('reduce_zero_label'):
            label = np.array([IGNORE_INDEX, *range(IGNORE_INDEX - 1), IGNORE_INDEX], np.uint8)[label]
        if results.get('label_map'):
            renamed = np.arange(256, dtype=np.uint8)
            renamed[list(results['label_map'])] = list(results['label_map'].values())
            label = renamed[label]
        results['gt_seg_map'] = label
        results.setdefault('seg_fields', []).append('gt_seg_map')

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(backend_args={self.backend_args})'


@TRANSFORMS.register_module()
class RandomSquareSymmetry(BaseTransform):
    """One of the eight symmetries of the square, each equally likely: quarter turns, with and without a mirror.

    A micrograph has no preferred direction, so all eight are as real as the original; they equal the usual random flips
    and random rotation by 90 degrees. Height and width swap under a quarter turn of an image that is not square.

    Required Keys:

    - img
    - gt_seg_map (optional, and whatever else `seg_fields` lists)

    Modified Keys:

    - img, img_shape, gt_seg_map and the other `seg_fields`

    Added Keys:

    - square_symmetry: int 0..7, quarter turns (counter-clockwise) + 4 when the result is then mirrored left to right
    """

    @cache_randomness
    def _random_symmetry(self) -> int:
        return int(np.random.randint(8))

    def transform(self, results: dict) -> dict:
        """Turns image and label maps alike.

        Args:
            results: `img` (H, W) or (H, W, C), label maps (H, W), any dtype.

        Returns:
            The same dict with turned, contiguous arrays.
        """
        symmetry = self._random_symmetry()
        for key in {'img', 'gt_seg_map', *results.get('seg_fields', [])} & results.keys():
            results[key] = square_symmetry(results[key], symmetry)
        results['img_shape'] = results['img'].shape[:2]
        results['square_symmetry'] = symmetry
        return results

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}()'


def square_symmetry(array: np.ndarray, symmetry: int) -> np.ndarray:
    """The given symmetry of an array.

    Args:
        array: (H, W, ...).
        symmetry: 0..7, quarter turns + 4 for a mirror after them; 0 is the identity.

    Returns:
        (H, W, ...) or (W, H, ...), contiguous.

    Raises:
        ValueError: There is no such symmetry.
    """
    if not 0 <= symmetry < 8:
        raise ValueError(f'A symmetry of the square is a number 0..7, got {symmetry!r}.')
    turned = np.rot90(array, symmetry % 4)
    return np.ascontiguousarray(turned[:, ::-1] if symmetry >= 4 else turned)


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
