"""SyntheticPairDataset: generated pairs as an mmseg data set."""

from collections.abc import Sequence

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from .folder import PairFolder


@DATASETS.register_module()
class SyntheticPairDataset(BaseSegDataset):
    """Reads a pair folder written by `tools/generate_pairs.py`.

    Its classes and palette are those of the folder. A sample's dict has `img_path`, `seg_map_path` and what the mmseg
    pipelines expect.

    Args:
        data_root: The pair folder.
        pipeline: Transforms, as for any mmseg data set.
        classes: Class names to insist on, in order. Default: take the folder's.
        max_pairs: Use the first so many pairs only (pairs are independent draws, so any subset is as good).
        kept_only: Leave out pairs marked `kept = False`.
        **kwargs: Of `BaseSegDataset`.

    Raises:
        FileNotFoundError: No pair folder there, or a row whose files are missing.
        ValueError: Other classes than insisted on, no pair left, or label maps that a filter has half changed.
    """

    def __init__(
        self,
        data_root: str,
        pipeline: Sequence = (),
        classes: Sequence[str] | None = None,
        max_pairs: int | None = None,
        *,
        kept_only: bool = True,
        **kwargs,
    ) -> None:
        self.folder = PairFolder(data_root)
        if classes is not None and tuple(classes) != self.folder.classes:
            raise ValueError(
                f'{data_root} holds pairs of the classes {self.folder.classes}, expected were {tuple(classes)}. '
                'Generate pairs with a generator trained on these classes, in this order.'
            )
        if max_pairs is not None and max_pairs < 1:
            raise ValueError(f'max_pairs must be at least 1 or None for all pairs, got {max_pairs}.')
        self.max_pairs = max_pairs
        self.kept_only = kept_only
        super().__init__(
            data_root=data_root,
            data_prefix=dict(img_path='images', seg_map_path='labels'),
            metainfo=dict(classes=self.folder.classes, palette=[list(colour) for colour in self.folder.palette]),
            pipeline=list(pipeline),
            reduce_zero_label=False,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """One dict for each pair, checked to stand on disk.

        Raises:
            FileNotFoundError: The files of a pair are missing.
            ValueError: No pair is left, or label maps that a filter has half changed.
        """
        self.folder.refuse_half_changed()
        rows = [row for row in self.folder.rows() if row.kept or not self.kept_only][: self.max_pairs]
        self.folder.refuse_missing_files(rows)
        if not rows:
            raise ValueError(
                f'{self.data_root} holds no pair{" marked as kept" if self.kept_only else ""}. Draw more (the command '
                'of the folder with a larger --num), train the generator longer, let more pass (--max-moved, '
                '--max-invented, in another folder), or name the folder that is meant (data_root of the '
                'SyntheticPairDataset, which --data leaves as it is).'
            )
        return [
            dict(
                img_path=str(self.folder.image_path(row.index)),
                seg_map_path=str(self.folder.label_path(row.index)),
                label_map=self.label_map,
                reduce_zero_label=False,
                seg_fields=[],
            )
            for row in rows
        ]
