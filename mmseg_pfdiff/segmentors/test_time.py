"""Test-time augmentation of whole micrographs."""

import torch
from mmengine.structures import PixelData
from mmseg.models import SegTTAModel
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample


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
