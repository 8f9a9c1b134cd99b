"""Checks of a run on its real model and data: losses, batches, classes and sizes are tried before it starts."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from mmcv.transforms import RandomResize, Resize
from mmengine.dataset import InfiniteSampler
from mmengine.model import is_model_wrapper
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from mmseg.datasets.transforms import RandomCrop
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import DATASETS, TRANSFORMS
from torch import Tensor, nn

from ..data.config_data_sets import inner_data_sets
from ..registry import class_of

# How torch's batch norm begins its complaint of a batch that it can take no statistics from.
TOO_FEW = 'Expected more than 1 value per channel'


def check_model(runner: Runner) -> None:
    """Refuses a training whose losses do not fit its heads, or whose batches do not fit its model.

    Args:
        runner: Not yet trained with.

    Raises:
        ValueError: Something does not fit; the message says how to mend it.
    """
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    for name, module in model.named_modules():
        if isinstance(module, BaseDecodeHead):
            check_losses(name, module)
    check_batches(runner, model)


def check_losses(name: str, head: BaseDecodeHead) -> None:
    """Tries the losses of a head on logits that are right and on logits that are wrong.

    Args:
        name: Of the head.
        head: A decode head. One that makes targets of its own is looked at for class weights alone.

    Raises:
        ValueError: A loss has another number of class weights than classes, cannot be computed, or does not tell right
            from wrong.
    """
    for loss in head.loss_decode if isinstance(head.loss_decode, nn.ModuleList) else [head.loss_decode]:
        where = f'{name}.loss_decode: {type(loss).__name__}'
        for key in ('class_weight', 'class_weights'):
            weights = getattr(loss, key, None)
            if weights is not None and len(weights) != head.out_channels:
                raise ValueError(
                    f'{where} has {len(weights)} class weights, the head {head.out_channels} channels of classes: '
                    'give one for each.'
                )
        if type(head).loss_by_feat is BaseDecodeHead.loss_by_feat and head.num_classes > 1:
            right, wrong = _try_loss(loss, head, where)
            if not right < wrong:
                raise ValueError(
                    f'{where} is as large for predictions that are right ({right:.3g}) as for wrong ones '
                    f'({wrong:.3g}). {_advice(head)}'
                )


def _try_loss(loss: nn.Module, head: BaseDecodeHead, where: str) -> tuple[float, float]:
    """The loss of logits that are right, and of logits that are right of another class."""
    device = next(head.parameters()).device
    label = torch.arange(head.num_classes, device=device).repeat_interleave(8).expand(1, 8, -1).contiguous()
    try:
        with torch.no_grad():
            right, wrong = (
                loss(_logits((label + shift) % head.num_classes, head), label, ignore_index=head.ignore_index)
                for shift in (0, 1)
            )
    except TypeError:  # a loss of another call, which its own head knows
        return 0.0, 1.0
    except (RuntimeError, IndexError, ValueError, AssertionError) as error:
        raise ValueError(f'{where} cannot be computed: {str(error).splitlines()[0]}. {_advice(head)}') from error
    return float(right.mean()), float(wrong.mean())


def _logits(label: Tensor, head: BaseDecodeHead) -> Tensor:
    """Logits that are sure of a label map, (1, out_channels, H, W)."""
    if head.out_channels == 1:
        return 10.0 * (2.0 * label[:, None] - 1)
    return 10.0 * nn.functional.one_hot(label, head.out_channels).movedim(-1, 1).float()


def _advice(head: BaseDecodeHead) -> str:
    if head.out_channels == 1:
        return 'With out_channels=1 take dict(type="CrossEntropyLoss", use_sigmoid=True), or leave out_channels away.'
    return "Change the head's loss_decode."


def check_batches(runner: Runner, model: nn.Module) -> None:
    """Sees that there are batches of samples that fit, and that the model takes one sample alone, if there will be one.

    Args:
        runner: Of the training.
        model: Its model, without a wrapper.

    Raises:
        ValueError: There are none, samples do not fit, or it cannot.
    """
    loader = runner.train_dataloader
    if not len(loader):
        raise ValueError(
            f'There are {len(loader.dataset)} training samples, fewer than make a batch of {loader.batch_size}, and '
            'train_dataloader.drop_last leaves them out. Set train_dataloader.batch_size to at most that.'
        )
    check_sample_sizes(runner.cfg.train_dataloader.get('dataset'), loader.collate_fn, model.data_preprocessor)
    if 1 in batch_sizes(loader) and not any(map(is_model_wrapper, model.children())):
        try:
            trial_step(model, runner.cfg.optim_wrapper, loader)
        except ValueError as error:
            if TOO_FEW not in str(error):
                raise
            raise ValueError(
                f'A batch of training will have one sample, of which a batch norm of the network cannot take '
                f'statistics ({error}). {_batch_advice(loader)}'
            ) from error


def batch_sizes(loader) -> Iterator[int]:
    """The sizes of the batches that a data loader gives to this process."""
    size = loader.batch_size or getattr(loader.batch_sampler, 'batch_size', None)
    if size is None:
        return
    yield size
    if not isinstance(loader.sampler, InfiniteSampler) and not loader.drop_last and len(loader.sampler) % size:
        yield len(loader.sampler) % size


def _batch_advice(loader) -> str:
    if loader.batch_size == 1:
        return 'Set train_dataloader.batch_size to 2 or more.'
    return (
        f'{len(loader.sampler)} samples in batches of {loader.batch_size} leave one over: set '
        'train_dataloader.drop_last=True, or another train_dataloader.batch_size.'
    )


def trial_step(model: nn.Module, optimizer: dict, loader) -> None:
    """Trains a copy of a model with one sample.

    Args:
        model: Stays as it is.
        optimizer: Config of its optimizers.
        loader: Of training.
    """
    trial = copy.deepcopy(model).train()
    batch = loader.collate_fn([loader.dataset[0]])
    trial.train_step(batch, build_optim_wrapper(trial, copy.deepcopy(optimizer)))


def check_sample_sizes(dataset: Any, collate: Callable[[Sequence], Any], preprocessor: nn.Module) -> None:
    """Loads a sample of each training data set and sees that they fit their crop, and each other.

    Args:
        dataset: Config of the training data set, with whatever wraps it.
        collate: Makes a batch of samples, as the data loader does.
        preprocessor: Of the model.

    Raises:
        ValueError: A tile is smaller than the crop, or samples of several data sets make no batch.
    """
    samples, sizes = [], []
    for config in inner_data_sets(dataset):
        _check_crop(config)
        sample = DATASETS.build({**config, 'lazy_init': False})[0]
        if not isinstance(sample, Mapping) or 'inputs' not in sample:  # a wrapper makes the samples of it
            return
        height, width = sample['inputs'].shape[-2:]
        sizes.append(f'{width}x{height} of {config.get("data_root") or config["type"]}')
        samples.append(sample)
    if len(samples) < 2:
        return
    try:
        preprocessor(collate(samples), True)
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f'The training samples (width x height) {", ".join(sizes)} make no batch: {str(error).splitlines()[0]} '
            'Bring them to one size: convert with another --tile-size, or change Resize and crop_size in the pipelines.'
        ) from error


def _check_crop(config: Mapping) -> None:
    """Refuses tiles smaller than a crop that is taken of them as they are; mmseg's RandomCrop lets them pass whole."""
    steps = list(config.get('pipeline') or ())
    kinds = [class_of(step.get('type'), TRANSFORMS) or object for step in steps]
    place = kinds.index(RandomCrop) if RandomCrop in kinds else 0
    if not place or any(issubclass(kind, Resize | RandomResize) for kind in kinds[:place]):
        return
    height, width = DATASETS.build({**config, 'pipeline': steps[:place], 'lazy_init': False})[0]['img'].shape[:2]
    crop = steps[place]['crop_size']
    crop = (crop, crop) if isinstance(crop, int) else crop
    if height < crop[0] or width < crop[1]:
        raise ValueError(
            f'The tiles of {config.get("data_root") or config["type"]} are {width}x{height}, the crop is '
            f'{crop[1]}x{crop[0]} (width x height): convert with a larger --tile-size, or change crop_size of '
            "RandomCrop in the data set's pipeline."
        )
