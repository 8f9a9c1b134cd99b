"""The config of each training of a comparison."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from ..config_files import read_config
from ..data.config_data_sets import class_names
from ..engine.run_checks import data_folder
from ..models.own_data import use_data
from .plan import REAL, Method, Plan, Training


def with_options(config: Config, options: Mapping) -> Config:
    """A config with settings over it, keys dotted as on a command line."""
    config.merge_from_dict(dict(options))
    return config


def with_data_root(config: Config, root: str) -> Config:
    """A config whose real data sets lie at another place, and whose model knows the classes there."""
    use_data(config, root)
    return config


def check_parts(config: Config) -> None:
    """Sees that the validation and the test part of a config are there, and are not the same.

    Raises:
        FileNotFoundError: The images of one are not there.
        ValueError: Both are the same folder.
    """
    folders = []
    for part in ('val', 'test'):
        dataset = config[f'{part}_dataloader'].dataset
        folders.append((data_folder(dataset, 'img_path') or Path(dataset.data_root)).resolve())
        if not folders[-1].is_dir():
            raise FileNotFoundError(
                f'{part}_dataloader of {config.filename} looks for micrographs in {folders[-1]}, which is not there. A '
                "comparison sets the data_root of all parts; data_prefix tells them apart, as in MetalDAM's layout."
            )
    if folders[0] == folders[1]:
        raise ValueError(
            f'{config.filename} validates and tests on the same micrographs, {folders[0]}: the ratio would be chosen '
            "on the test part. Tell the parts apart by data_prefix, as in MetalDAM's layout."
        )


def segmentor_base(plan: Plan, segmentor: str) -> Config:
    """The config of a segmentor as the plan has it, before data and pairs.

    Args:
        plan: The comparison.
        segmentor: Name.

    Returns:
        The config.

    Raises:
        ValueError: It lacks what a comparison needs.
    """
    config = with_options(read_config(plan.segmentors[segmentor]), plan.segmentor_options)
    evaluators = config.get('test_evaluator') or []
    evaluators = evaluators if isinstance(evaluators, list) else [evaluators]
    loop = config.get('train_cfg', {})
    present = {
        "train_dataloader.dataset.type='SyntheticPairMix'": _at(config, 'train_dataloader.dataset.type')
        == 'SyntheticPairMix',
        "train_cfg.type='EpochBasedTrainLoop'": loop.get('type') == 'EpochBasedTrainLoop' or loop.get('by_epoch'),
        f'train_cfg.val_interval of at most {plan.epochs}': loop.get('val_interval', 1) <= plan.epochs,
        "default_hooks.checkpoint.save_best='mIoU'": _at(config, 'default_hooks.checkpoint.save_best') == 'mIoU',
        "a test_evaluator of type 'MicrographIoUMetric'": 'MicrographIoUMetric'
        in [evaluator.type for evaluator in evaluators],
    }
    missing = [what for what, there in present.items() if not there]
    if missing:
        raise ValueError(
            f'{plan.segmentors[segmentor]} lacks {", ".join(missing)}, which a comparison needs; see '
            'configs/pfdiff/unet_r50_ratio8.py, and segmentor_options for changes.'
        )
    return config


def _at(config: Config, path: str) -> Any:
    """A setting by its dotted path; None where it is not there."""
    for key in path.split('.'):
        config = (config or {}).get(key)
    return config


def generator_config(training: Training, root: str, seed: int) -> Config:
    """The config that trains a generator.

    Args:
        training: As of the plan.
        root: Of the data set.
        seed: Of the training.

    Returns:
        The config, complete.
    """
    config = with_data_root(read_config(training.config), root)
    options = {'train_cfg.max_epochs': training.epochs, 'train_cfg.val_interval': training.epochs}
    config = with_options(config, {**options, **training.options})
    return with_seed(config, seed)


def with_seed(config: Config, seed: int) -> Config:
    """A config whose training has a seed."""
    config.randomness = {**config.get('randomness', {}), 'seed': seed}
    return config


def number_of_real_samples(plan: Plan, segmentor: str, split: str) -> int:
    """Real training samples of a segmentor's config on a split."""
    return _count(with_data_root(segmentor_base(plan, segmentor), plan.data[split]))


def _count(config: Config) -> int:
    init_default_scope(config.get('default_scope', 'mmseg'))
    return len(DATASETS.build(config.train_dataloader.dataset.real))


def plan_classes(plan: Plan) -> tuple[str, ...]:
    """Names of the classes, as the first segmentor's real data set has them."""
    config = with_data_root(segmentor_base(plan, next(iter(plan.segmentors))), next(iter(plan.data.values())))
    init_default_scope(config.get('default_scope', 'mmseg'))
    return class_names(config.train_dataloader.dataset.real)


def segmentor_config(
    plan: Plan, split: str, method: str, segmentor: str, ratio: int, seed: int, pairs: Path | None
) -> Config:
    """The config of one training of a segmentor.

    Args:
        plan: The comparison.
        split: Name of the split.
        method: Name of the method, or 'real'.
        segmentor: Name of the segmentor.
        ratio: Synthetic samples per real one; 0 for 'real'.
        seed: Of the training.
        pairs: Pair folder of the method; None for 'real'.

    Returns:
        The config, complete.
    """
    config = segmentor_base(plan, segmentor)
    mix = config.train_dataloader.dataset
    with_data_root(config, plan.data[split])
    chosen = Method() if method == REAL else plan.methods[method]
    mixing = dict(real_share=chosen.real_share)
    if chosen.real_finish:
        mixing['real_from'] = plan.epochs - chosen.real_finish
    mixed = chosen.real_share is not None or chosen.real_finish
    if plan.budget == 'iterations' or mixed:
        length = _count(config) * (1 + ratio if plan.budget == 'epochs' else 1)
        config.train_dataloader.sampler = dict(type='FixedLengthSampler', length=length)
    if mixed:
        config.train_dataloader.sampler.update(type='MixSampler', **mixing)
    if method == REAL:
        config.train_dataloader.dataset = mix.real
    else:
        mix.ratio = ratio
        mix.synthetic.data_root = str(pairs)
    config.train_cfg.max_epochs = plan.epochs
    return with_seed(config, seed)
