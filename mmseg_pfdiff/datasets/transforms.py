"""Augmentation of image-mask pairs."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmseg.registry import TRANSFORMS


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
