"""Whole micrographs by overlapping windows, several windows in each forward pass."""

from collections.abc import Iterator

import torch
from mmengine.config import ConfigDict
from mmseg.models import EncoderDecoder
from mmseg.registry import MODELS
from torch import Tensor

AVERAGES = ('probabilities', 'logits')


@MODELS.register_module()
class SlidingWindowEncoderDecoder(EncoderDecoder):
    """mmseg's `EncoderDecoder` with batched sliding windows.

    `test_cfg` takes, for `mode='slide'`:

    - `crop_size`: (height, width) of a window.
    - `stride`: (vertical, horizontal) step. The windows stand where mmseg's stand: the last ones are moved back so
      that they end at the border. A micrograph smaller than a window is one window of its own size.
    - `window_batch`: Windows in one forward pass, 8 by default.
    - `average`: What is averaged where windows overlap: `'probabilities'` (default; the paper's "average the
      overlapping softmaxed outputs", its section 2.3; the class is the one with the largest mean, which is the paper's
      threshold of 0.5 wherever one class reaches it) or `'logits'` (equal to mmseg's own `slide_inference`).
    - `accumulate_device`: Where the sums are kept, e.g. `'cpu'` when a huge mosaic does not fit the GPU beside the
      network. The device of the image by default.

    The result is logits in both cases, as every caller in mmseg expects: the softmax of the result is the mean of the
    probabilities.

    Args:
        *args, **kwargs: As `EncoderDecoder`.

    Raises:
        ValueError: A value of `test_cfg` makes no sense.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.test_cfg = ConfigDict({'mode': 'whole', **(self.test_cfg or {})})
        if self.test_cfg.mode == 'slide':
            self._check_test_cfg()

    def _check_test_cfg(self) -> None:
        cfg = self.test_cfg
        for name in ('crop_size', 'stride'):
            value = cfg.get(name)
            if not (isinstance(value, (list, tuple)) and len(value) == 2 and min(value) >= 1):
                raise ValueError(f'test_cfg.{name} must be two positive numbers (height, width), got {value!r}.')
        if any(step > size for step, size in zip(cfg.stride, cfg.crop_size, strict=True)):
            raise ValueError(
                f'test_cfg.stride {tuple(cfg.stride)} is larger than crop_size {tuple(cfg.crop_size)}: '
                'pixels between the windows would get no prediction. Use at most crop_size.'
            )
        if cfg.get('average', AVERAGES[0]) not in AVERAGES:
            raise ValueError(f'test_cfg.average must be one of {AVERAGES}, got {cfg.average!r}.')
        if cfg.get('window_batch', 8) < 1:
            raise ValueError(f'test_cfg.window_batch must be at least 1, got {cfg.window_batch!r}.')

    def slide_inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Averages the predictions of overlapping windows.

        Args:
            inputs: (N, C, H, W) float, normalised images of any size.
            batch_img_metas: Meta information of the N images.

        Returns:
            (N, K, H, W) float32 logits.
        """
        self._check_test_cfg()
        cfg = self.test_cfg
        probabilities = cfg.get('average', AVERAGES[0]) == 'probabilities'
        n, _, height, width = inputs.shape
        crop_h, crop_w = min(cfg.crop_size[0], height), min(cfg.crop_size[1], width)
        corners = list(window_corners((height, width), cfg.crop_size, cfg.stride))
        device = torch.device(cfg.get('accumulate_device') or inputs.device)
        total = torch.zeros(n, self.out_channels, height, width, device=device)
        count = torch.zeros(height, width, device=device)
        step = max(1, cfg.get('window_batch', 8) // n)  # each window is cut from all n images
        for start in range(0, len(corners), step):
            chunk = corners[start : start + step]
            windows = torch.cat([inputs[:, :, y : y + crop_h, x : x + crop_w] for y, x in chunk])
            # Window-major like `windows`: a meta of its own for each window, with the size heads predict at.
            metas = [dict(meta, img_shape=windows.shape[2:], pad_shape=windows.shape[2:]) for meta in batch_img_metas]
            outputs = self.encode_decode(windows, metas * len(chunk)).float()
            if probabilities:
                outputs = outputs.softmax(dim=1) if self.out_channels > 1 else outputs.sigmoid()
            for (y, x), output in zip(chunk, outputs.to(device).split(n), strict=True):
                total[:, :, y : y + crop_h, x : x + crop_w] += output
                count[y : y + crop_h, x : x + crop_w] += 1
        mean = total.div_(count)
        if not probabilities:
            return mean
        if self.out_channels == 1:  # mmseg takes the sigmoid of a single channel and thresholds it
            return mean.logit_(eps=1e-7)
        return mean.clamp_(min=torch.finfo(mean.dtype).tiny).log_()


def window_corners(
    size: tuple[int, int], crop_size: tuple[int, int], stride: tuple[int, int]
) -> Iterator[tuple[int, int]]:
    """Upper left corners (y, x) of the windows over an image, row by row, where mmseg puts them.

    Args:
        size: (height, width) of the image.
        crop_size: (height, width) of a window.
        stride: (vertical, horizontal) step.
    """
    rows, columns = (
        [min(i * step, max(length - crop, 0)) for i in range(max(length - crop + step - 1, 0) // step + 1)]
        for length, crop, step in zip(size, crop_size, stride, strict=True)
    )
    return ((y, x) for y in rows for x in columns)
