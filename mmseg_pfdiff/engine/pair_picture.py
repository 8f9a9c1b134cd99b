"""PairPictureHook: a picture of drawn pairs at every validation."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.registry import HOOKS
from mmseg.structures import SegDataSample

from ..pairs.grid import pair_grid


@HOOKS.register_module()
class PairPictureHook(Hook):
    """Writes `<work_dir>/pairs/epoch_<n>.png`: for each condition the drawn image and mask above the real ones.

    The caption tells the fractions asked for, or those of the mask if the model takes none. The image of a model that
    draws masks alone is black.

    Args:
        max_pairs: Columns of the picture.
    """

    def __init__(self, max_pairs: int = 8) -> None:
        self.max_pairs = max_pairs
        self.columns: list[list[np.ndarray]] = []
        self.captions: list[str] = []

    def before_val_epoch(self, runner: Runner) -> None:
        """Starts a new picture."""
        self.columns, self.captions = [], []

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs: Sequence | None = None) -> None:
        """Keeps pairs until the picture is full."""
        for sample in (outputs or [])[: self.max_pairs - len(self.columns)]:
            self.columns.append(self._panels(sample))
            fractions = sample.get('target_fractions', sample.measured_fractions)
            self.captions.append('/'.join(f'{100 * value:.0f}' for value in fractions.tolist()))

    @staticmethod
    def _panels(sample: SegDataSample) -> list[np.ndarray]:
        black = PixelData(data=torch.zeros_like(sample.pred_sem_seg.data))
        image = sample.get('pred_image', black)
        fields = (image, sample.pred_sem_seg, sample.real_image, sample.real_sem_seg)
        return [field.data[0].cpu().numpy().round().astype(np.uint8) for field in fields]

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Writes the picture."""
        if runner.rank != 0 or not self.columns:
            return
        folder = Path(runner.work_dir) / 'pairs'
        folder.mkdir(parents=True, exist_ok=True)
        enlarge = max(1, 128 // self.columns[0][0].shape[0])
        picture = pair_grid(self.columns, runner.val_dataloader.dataset.metainfo['palette'], self.captions, enlarge)
        path = folder / f'epoch_{runner.epoch}.png'
        cv2.imwrite(str(path), picture[..., ::-1])
        runner.logger.info(f'Drawn pairs above real ones: {path}')
