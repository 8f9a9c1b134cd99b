"""What would stop a run late or unclearly, looked for before it starts."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mmengine.config import Config
from mmseg.registry import DATASETS

# Keys under which a data set holds the config of another one.
INNER = ('dataset', 'datasets', 'real', 'synthetic')


def check_run(config: Config, parts: Sequence[str]) -> None:
    """Refuses a run whose data are not there, that has no epochs, or whose network has another number of classes.

    Args:
        config: Of the run.
        parts: Parts of the run that will be used, of 'train', 'val' and 'test'.

    Raises:
        FileNotFoundError: The folder of a data set is missing.
        ValueError: Epochs or classes that do not fit.
    """
    epochs = config.get('train_cfg', {}).get('max_epochs', 1)
    if 'train' in parts and epochs < 1:
        raise ValueError(f'train_cfg.max_epochs must be at least 1, got {epochs}.')
    head = config.get('model', {}).get('decode_head', {})
    for part in parts:
        loader = config.get(f'{part}_dataloader') or {}
        for dataset in data_sets(loader.get('dataset', {})):
            where = f'{part}_dataloader: {dataset["type"]}'
            root = dataset.get('data_root')
            if root and '://' not in root and not Path(root).is_dir():
                raise FileNotFoundError(
                    f'{where}: no folder {root}. Convert the data set or generate the pairs first, or say where they '
                    f'are: --cfg-options {part}_dataloader.dataset....data_root=FOLDER'
                )
            classes = class_names(dataset)
            if classes and isinstance(head, Mapping) and head.get('num_classes', len(classes)) != len(classes):
                raise ValueError(
                    f'{where} has {len(classes)} classes ({", ".join(classes)}), the network '
                    f'{head["num_classes"]}. Set model.decode_head.num_classes={len(classes)}.'
                )


def data_sets(config: Mapping) -> Iterator[Mapping]:
    """The configs of the data sets in a config, those inside wrappers too."""
    if 'type' in config:
        yield config
    for key in INNER:
        inner = config.get(key, [])
        for one in [inner] if isinstance(inner, Mapping) else inner:
            if isinstance(one, Mapping):
                yield from data_sets(one)


def data_folder(dataset: Mapping, kind: str) -> Path | None:
    """Folder of the images (`img_path`) or the label maps (`seg_map_path`) of a data set's config, if it names one."""
    prefix = dataset.get('data_prefix', {}).get(kind)
    return None if prefix is None else Path(dataset.get('data_root') or '', prefix)


def class_names(dataset: Mapping) -> tuple[str, ...]:
    """The classes that the config of a data set, or its type, names; empty where neither does."""
    own = dataset.get('metainfo', {}).get('classes')
    kind = DATASETS.get(dataset['type']) if isinstance(dataset['type'], str) else dataset['type']
    return tuple(own or getattr(kind, 'METAINFO', {}).get('classes', ()))
