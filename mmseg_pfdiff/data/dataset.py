"""MicrographDataset: converted micrographs, or tiles of them, as an mmseg data set."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from ..phases.labels import IGNORE_INDEX
from .layout import DataError
from .record import check_finished, read_record, require_record


@DATASETS.register_module()
class MicrographDataset(BaseSegDataset):
    """Micrographs, or tiles of them, in a folder that a tool of `tools/dataset_converters` filled.

    Classes and palette are those of `dataset.json` there, so that a config needs to name no more than the folder.

    Args:
        data_root: The folder. One without `dataset.json` serves too where `metainfo` names the classes.
        metainfo: As for any mmseg data set: `classes` may name some of the classes, in any order; the others are
            ignored.
        img_suffix: Of the images.
        seg_map_suffix: Of the label maps.
        **kwargs: Of `BaseSegDataset`.

    Raises:
        FileNotFoundError: There is no such folder.
        DataError: Its conversion was stopped before its end, or nothing names the classes.
        ValueError: `metainfo` names a class that the data lack.
    """

    def __init__(
        self,
        data_root: str | None = None,
        metainfo: Mapping | None = None,
        img_suffix: str = '.png',
        seg_map_suffix: str = '.png',
        **kwargs,
    ) -> None:
        self._known = self.known_metainfo(data_root, metainfo)
        super().__init__(
            data_root=data_root, metainfo=metainfo, img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, **kwargs
        )

    @classmethod
    def known_metainfo(cls, data_root: str | None, metainfo: Mapping | None = None) -> dict:
        """Classes and palette of the data, before `metainfo` chooses among them.

        Args:
            data_root: The folder.
            metainfo: As the config of the data set has it.

        Returns:
            `classes`, K names, and `palette`, K RGB colours; nothing where only `metainfo` can tell.

        Raises:
            FileNotFoundError: There is no such folder.
            DataError: As of the class.
        """
        if cls.METAINFO:
            return dict(cls.METAINFO)
        local = data_root is not None and '://' not in str(data_root)
        if metainfo and 'classes' in metainfo and not (local and read_record(data_root)):
            return {}
        if not local:
            raise DataError(
                f'{cls.__name__} of data_root={data_root} cannot look its classes up there: give a folder that '
                'tools/dataset_converters filled, or name classes and palette in `metainfo`.'
            )
        record = require_record(data_root)
        return dict(classes=tuple(record['classes']), palette=record['palette'])

    def _load_metainfo(self, metainfo: Mapping | None = None) -> dict:
        """The meta information of the data, with what a config says over it."""
        return {**self._known, **super()._load_metainfo(metainfo)}

    def get_label_map(self, new_classes: Sequence[str] | None = None) -> dict[int, int] | None:
        """From the classes of the data to those that a config names; mmseg's own looks at the class alone.

        Args:
            new_classes: Names.

        Returns:
            Index -> new index, 255 for classes that are not named; None where all are, in the same order.

        Raises:
            ValueError: A name that the data lack.
        """
        classes, chosen = list(self._known.get('classes', ())), list(new_classes or ())
        if not classes or not chosen or classes == chosen:
            return None
        if unknown := sorted(set(chosen) - set(classes)):
            raise ValueError(
                f'{self.data_root} has the classes {", ".join(classes)}; `metainfo` names {", ".join(unknown)}.'
            )
        return {index: chosen.index(name) if name in chosen else IGNORE_INDEX for index, name in enumerate(classes)}

    def full_init(self) -> None:
        """Lists the files.

        Raises:
            DataError: The conversion of the data set was stopped before its end.
        """
        images = self.data_prefix.get('img_path') or self.data_root or ''
        if '://' not in str(images):
            check_finished(Path(images))
        super().full_init()
