"""Segmentation of whole micrographs by overlapping windows, several in each forward pass, and over several views."""

from collections.abc import Callable, Iterator, Sequence

import torch
from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmseg.models import EncoderDecoder, SegDataPreProcessor, SegTTAModel
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from ...windows import Corner, window_corners
from .bands import Window, join_bands, mean_bands, resize_bands

AVERAGES = ('probabilities', 'logits')
Corners = Sequence[Corner]


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
    - `accumulate_device`: Where windows are averaged, e.g. `'cpu'`. The device of the network by default.
    - `keep_logits`: Whether results hold `seg_logits`, (K, H, W) float32, beside `pred_sem_seg`. False by default: the
      classes are then decided band by band, and a micrograph of any size takes a few bytes a pixel. Test-time
      augmentation needs them; `slide_inference` and `inference` return them in any case.

    `test_step` and `val_step` keep a micrograph as it was loaded; windows are cut from it, moved to the device of the
    network and normalised when their turn comes. `pred_sem_seg` is uint8 and lies in the memory of the CPU. (Other
    preprocessors than a plain `SegDataPreProcessor`, and `mode='whole'`, go mmseg's own way.)

    The logits are such that their softmax is the mean of the probabilities, as every caller in mmseg expects.

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

    def test_step(self, data: dict) -> list[SegDataSample]:
        """Predicts a batch as it was loaded.

        Args:
            data: `inputs`, N images of one size, each (C, H, W), uint8 as a rule; and `data_samples`, if there are any.

        Returns:
            The samples, with `pred_sem_seg`, (1, H, W) uint8, and with `seg_logits` where they are kept.

        Raises:
            ValueError: Images of several sizes.
        """
        if not isinstance(data, dict) or not self._cuts_before_normalising():
            return super().test_step(data)
        images = list(data['inputs'])
        size = tuple(images[0].shape[1:])
        if any(image.shape[1:] != size for image in images):
            raise ValueError(
                f'Micrographs of one batch must have one size, got {[tuple(image.shape[1:]) for image in images]}. '
                'Set the batch_size of the data loader to 1.'
            )
        samples = data.get('data_samples') or [SegDataSample() for _ in images]
        for sample in samples:
            if 'ori_shape' not in sample.metainfo:
                sample.set_metainfo(dict(ori_shape=size, img_shape=size, pad_shape=size))

        def cut(corners: Corners, height: int, width: int) -> Tensor:
            raw = [image[:, y : y + height, x : x + width] for y, x in corners for image in images]
            return self.data_preprocessor(dict(inputs=torch.stack(raw)), False)['inputs']

        metas = [sample.metainfo for sample in samples]
        bands = self._logit_bands(cut, size, metas)
        if self._needs_all_rows(metas):
            return self.postprocess_result(join_bands(bands, size[0]), samples)
        return self._decide(bands, size, samples)

    def val_step(self, data: dict) -> list[SegDataSample]:
        """As :meth:`test_step`."""
        return self.test_step(data)

    def _cuts_before_normalising(self) -> bool:
        """Whether windows can be prepared one by one: the preprocessor must treat each pixel by itself."""
        preprocessor = self.data_preprocessor
        pads = getattr(preprocessor, 'test_cfg', None)
        return self.test_cfg.mode == 'slide' and type(preprocessor) is SegDataPreProcessor and not pads

    def slide_inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Averages the predictions of overlapping windows.

        Args:
            inputs: (N, C, H, W) float, normalised images of any size.
            batch_img_metas: Meta information of the N images.

        Returns:
            (N, K, H, W) float32 logits.
        """

        def cut(corners: Corners, height: int, width: int) -> Tensor:
            return torch.cat([inputs[:, :, y : y + height, x : x + width] for y, x in corners])

        size = tuple(inputs.shape[2:])
        return join_bands(self._logit_bands(cut, size, batch_img_metas), size[0])

    def _logit_bands(
        self, cut: Callable[[Corners, int, int], Tensor], size: tuple[int, int], metas: Sequence[dict]
    ) -> Iterator[Tensor]:
        """Bands of the logits of N images.

        Args:
            cut: Gives the normalised windows of a height and a width at some corners, those of the N images at the
                first corner first.
            size: (H, W) of the images.
            metas: Of the N images.
        """
        self._check_test_cfg()
        probabilities = self.test_cfg.get('average', AVERAGES[0]) == 'probabilities'
        for mean in mean_bands(self._window_outputs(cut, size, metas, probabilities), size[1]):
            if not probabilities:
                yield mean
            elif self.out_channels == 1:  # mmseg takes the sigmoid of a single channel and thresholds it
                yield mean.logit_(eps=1e-7)
            else:
                yield mean.clamp_(min=torch.finfo(mean.dtype).tiny).log_()

    def _window_outputs(
        self, cut: Callable, size: tuple[int, int], metas: Sequence[dict], probabilities: bool
    ) -> Iterator[Window]:
        """Probabilities or logits of each window, (N, K, h, w) float32."""
        cfg, n = self.test_cfg, len(metas)
        crop = min(cfg.crop_size[0], size[0]), min(cfg.crop_size[1], size[1])
        corners = window_corners(size, cfg.crop_size, cfg.stride)
        step = max(1, cfg.get('window_batch', 8) // n)  # each window is cut from all n images
        # A meta of its own for each window, with the size heads predict at.
        metas = [dict(meta, img_shape=crop, pad_shape=crop) for meta in metas]
        for start in range(0, len(corners), step):
            chunk = corners[start : start + step]
            outputs = self.encode_decode(cut(chunk, *crop), metas * len(chunk)).float()
            if probabilities:
                outputs = outputs.softmax(dim=1) if self.out_channels > 1 else outputs.sigmoid()
            outputs = outputs.to(cfg.get('accumulate_device') or outputs.device)
            yield from zip(chunk, outputs.split(n), strict=True)

    def _needs_all_rows(self, metas: Sequence[dict]) -> bool:
        """Whether logits of whole images are needed: because they are asked for, or to be cut, turned or resized."""
        return (
            self.test_cfg.get('keep_logits', False)
            or any(meta.get('flip') or any(meta.get('padding_size', ())) for meta in metas)
            or any(meta['ori_shape'][:2] != metas[0]['ori_shape'][:2] for meta in metas)
        )

    def _decide(
        self, bands: Iterator[Tensor], size: tuple[int, int], samples: Sequence[SegDataSample]
    ) -> list[SegDataSample]:
        """Gives samples the class of each pixel, at the size that micrographs have on disk."""
        target = tuple(samples[0].ori_shape[:2])
        dtype = torch.uint8 if self.out_channels <= 256 else torch.int64
        classes = torch.empty(len(samples), *target, dtype=dtype)
        top = 0
        for band in resize_bands(bands, size, target, align_corners=self.align_corners):
            decided = band.argmax(1) if self.out_channels > 1 else band[:, 0].sigmoid() > self.decode_head.threshold
            classes[:, top : top + band.shape[2]] = decided
            top += band.shape[2]
        for sample, label in zip(samples, classes.split(1), strict=True):
            sample.set_data(dict(pred_sem_seg=PixelData(data=label)))
        return list(samples)


@MODELS.register_module()
class MicrographTTAModel(SegTTAModel):
    """mmseg's `SegTTAModel`, one view after the other, so that the scores of one view are in memory, not of all.

    The mean of the views' probabilities decides. For a network of one output channel mmseg takes the sigmoid twice,
    which makes every pixel foreground; here it is taken once.

    Args:
        *args, **kwargs: As `SegTTAModel`. A :class:`SlidingWindowEncoderDecoder` is set to keep its logits.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.module.test_cfg.keep_logits = True

    def test_step(self, data: dict) -> list[SegDataSample]:
        """Predicts the views of a batch, and merges them.

        Args:
            data: `inputs` and `data_samples`, each a list over the views of lists over the images.

        Returns:
            The samples of the first view, with `pred_sem_seg`, (1, H, W) uint8.
        """
        first, sums = None, None
        views = len(data['inputs'])
        for n in range(views):
            samples = self.module.test_step({key: values[n] for key, values in data.items()})
            scores = [self._probabilities(sample) for sample in samples]
            if first is None:
                first, sums = samples, scores
                continue
            for total, score in zip(sums, scores, strict=True):
                total += score
        for sample, total in zip(first, sums, strict=True):
            sample.set_data(dict(pred_sem_seg=PixelData(data=self._decided(total.div_(views)))))
        return first

    def _probabilities(self, sample: SegDataSample) -> torch.Tensor:
        """(K, H, W) of one view, whose scores are dropped."""
        logits = sample.seg_logits.data
        del sample.seg_logits
        return logits.softmax(dim=0) if self.module.out_channels > 1 else logits  # mmseg took the sigmoid already

    def _decided(self, mean: torch.Tensor) -> torch.Tensor:
        """(1, H, W) uint8 from (K, H, W) probabilities."""
        if self.module.out_channels > 1:
            mean = mean.argmax(dim=0, keepdim=True)
        else:
            mean = mean > self.module.decode_head.threshold
        return mean.to(torch.uint8 if self.module.out_channels <= 256 else torch.int64)
