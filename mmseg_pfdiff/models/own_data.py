"""Own data in a config: its data sets read them, its model knows their classes, its fractions suit their phases."""

from collections.abc import Iterator, Mapping

from mmengine.config import Config
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS

from ..data.class_shares import class_shares
from ..data.config_data_sets import class_names, inner_data_sets
from ..data.layout import PARTS, DataError
from ..data.record import require_record
from ..requests.sampler import PAPER_GROUPS

# Of the paper's mixture: those rich in its rarest phase, and in its second rarest.
RARE_GROUPS = sorted((group for group in PAPER_GROUPS if 'phase' in group), key=lambda group: group['share'])


def use_data(config: Config, root: str) -> str:
    """Has the real data sets of a config read another folder, and the model know the classes there.

    Synthetic pairs stay where they are. Groups of the `fraction_sampler` that are rich in phases which the data lack
    make way for groups of their two rarest phases.

    Args:
        config: Of a training, a test or a generator. Changed in place.
        root: Folder that a tool of `tools/dataset_converters` filled.

    Returns:
        What was set, in a line.

    Raises:
        FileNotFoundError: There is no such folder.
        DataError: It has no record, or its conversion was stopped.
        ValueError: A data set of the config names other classes, or the config has no data set that could be moved.
    """
    record = require_record(root)
    classes, moved = tuple(record['classes']), 0
    for part in PARTS:
        loader = config.get(f'{part}_dataloader') or {}
        # Folders below the root are what a pair folder, whose layout is its own, does not name.
        for dataset in inner_data_sets(loader.get('dataset'), synthetic=False):
            if 'data_prefix' in dataset:
                dataset['data_root'] = str(root)
                _refuse_other_classes(dataset, part, classes, root)
                moved += 1
    if not moved:
        raise ValueError(f'--data {root}: the config has no data set with data_root and data_prefix to read from it.')
    counts = class_counts(config.get('model') or {})
    options = {path: len(classes) for path, number in counts.items() if number != len(classes)}
    if _groups_lack(config.get('fraction_sampler'), classes):
        options['fraction_sampler.groups'] = rare_groups(record)
    config.merge_from_dict(options)
    changes = ''.join(f', {path}={value}' for path, value in options.items())
    return f'Data of {root}: classes {", ".join(classes)}; {moved} data sets of the config read it{changes}.'


def _refuse_other_classes(dataset: Mapping, part: str, classes: tuple[str, ...], root: str) -> None:
    """Refuses a data set of a config whose classes, named there or by its type, are not those of the data."""
    names = class_names(dataset)
    if names and not set(names) <= set(classes):
        raise DataError(
            f'{part}_dataloader: a data set of the config has the classes {", ".join(names)}, {root} has '
            f'{", ".join(classes)}. Give it the type MicrographDataset without metainfo: its folder says them then.'
        )


def _groups_lack(sampler: Mapping | None, classes: tuple[str, ...]) -> bool:
    """Whether a `fraction_sampler` has groups that are rich in what is no class."""
    groups = (sampler or {}).get('groups') or ()
    return any(group.get('phase') not in (None, *classes) for group in groups)


def rare_groups(record: Mapping) -> list[dict]:
    """Groups for a fraction sampler as the paper's, rich in the two rarest phases of the training micrographs.

    Args:
        record: Content of `dataset.json`.

    Returns:
        `uniform`, and a group for each phase that is rare: neither the most frequent one nor missing.
    """
    facts = [record['micrographs'][name] for name in record['split']['train']]
    if not all('class_pixels' in each for each in facts):  # a record of former versions
        return [dict(name='uniform', share=1.0)]
    shares = class_shares(facts)[: len(record['classes'])]
    present = [name for share, name in sorted(zip(shares, record['classes'], strict=True)) if share > 0]
    rich = [
        {**group, 'name': f'rich_{name}', 'phase': name} for name, group in zip(present[:-1], RARE_GROUPS, strict=False)
    ]
    return [dict(name='uniform', share=1 - sum(group['share'] for group in rich)), *reversed(rich)]


def class_counts(model: Mapping) -> dict[str, int]:
    """The settings of a model that say how many classes it knows, by their dotted paths.

    Args:
        model: Its config.

    Returns:
        Path -> number. Left out are heads beside the main one that make targets of their own.
    """
    counts = {}
    for path, head in [*_heads(model, 'decode_head'), *_heads(model, 'auxiliary_head')]:
        kind = MODELS.get(head['type']) if isinstance(head.get('type'), str) else head.get('type')
        own_targets = getattr(kind, 'loss_by_feat', None) is not BaseDecodeHead.loss_by_feat
        if 'num_classes' in head and not (own_targets and 'auxiliary' in path):
            counts[f'{path}.num_classes'] = head['num_classes']
    preprocessor = model.get('data_preprocessor') or {}
    if 'num_classes' in preprocessor:
        counts['model.data_preprocessor.num_classes'] = preprocessor['num_classes']
    return counts


def _heads(model: Mapping, name: str) -> Iterator[tuple[str, Mapping]]:
    """The configs of the heads under a name, one or several, with their paths."""
    heads = model.get(name) or []
    if isinstance(heads, Mapping):
        yield f'model.{name}', heads
    else:
        yield from ((f'model.{name}.{place}', head) for place, head in enumerate(heads))
