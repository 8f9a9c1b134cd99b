"""Hooks of a resumed training: it follows the present config, and makes up for a validation that was cut off."""

import warnings
from typing import Any

from mmengine.dist import get_world_size
from mmengine.hooks import Hook, ParamSchedulerHook
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from mmseg.registry import HOOKS

from .config_changes import Change, config_changes, describe_changes


@HOOKS.register_module()
class ResumeHook(Hook):
    """Has `--resume` go on as a training of the present config would from the checkpoint's iteration on.

    mmengine goes on with the schedule and the optimizer's settings of the checkpoint whatever the config says, so that
    training longer would do nothing. Here they are those of the present config: the schedules are built anew and
    brought to the checkpoint's iteration. What would make another training (data, batch size, network, seed, ...) is
    refused by name.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self.rates_before: dict[str, list[float]] | None = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Notes what the config does not tell."""
        checkpoint['meta'].update(amounts(runner))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Checks a checkpoint that training is to go on from, and gives its optimizer the present settings.

        Raises:
            ValueError: Training cannot go on from it under the present config.
        """
        if not runner._resume:
            return
        if 'optimizer' not in checkpoint:
            raise ValueError(
                'The checkpoint holds weights without the state of the optimizer, as best_*.pth do: training cannot go '
                'on from it. To begin a training from these weights: --cfg-options load_from=FILE, without --resume.'
            )
        if not checkpoint['meta'].get('cfg'):
            runner.logger.warning('The checkpoint tells no config: what makes another training goes unnoticed.')
        applied = check_same_run(runner.cfg, checkpoint['meta'])
        check_same_amount(runner, checkpoint['meta'])
        if applied:
            runner.logger.info(
                f'Changed since the checkpoint, and in effect from here on: {describe_changes(applied)}.'
            )
        if _follows_validation(runner.param_schedulers):
            if applied:
                raise ValueError(
                    'A schedule that follows the validation (ReduceOnPlateauLR) goes on from the checkpoint as it was: '
                    f'{describe_changes(applied)}. Set this back, or start in another --work-dir.'
                )
            return
        # mmengine would take these in place of the ones it has just built from the config.
        checkpoint.pop('param_schedulers', None)
        states = checkpoint['optimizer']
        self.rates_before = {}
        for name, wrapper in _named_wrappers(runner.optim_wrapper).items():
            state = states[name] if name else states
            self.rates_before[f'{name}.lr' if name else 'lr'] = [group['lr'] for group in state['param_groups']]
            take_present_settings(state, wrapper)

    def before_train(self, runner: Runner) -> None:
        """Brings the schedules to the checkpoint's iteration."""
        loop = runner.train_loop
        if runner.iter and (loop.epoch >= loop.max_epochs if runner.epoch else loop.iter >= loop.max_iters):
            runner.logger.info(
                f'The training has come to its end of {loop.max_iters} iterations before. To train longer, raise '
                'train_cfg.max_epochs or max_iters.'
            )
        if self.rates_before is None:
            return
        advance_schedules(runner)
        rates = runner.optim_wrapper.get_lr()
        changed = {name: old for name, old in self.rates_before.items() if rates.get(name) != old}
        if changed:
            now = {name: rates.get(name) for name in changed}
            runner.logger.info(
                f'Learning rates from iteration {runner.iter} on are those of an uninterrupted training of the present '
                f'config: {_shortest(now)}; the checkpoint had {_shortest(changed)}.'
            )
        self.rates_before = None


def check_same_run(config: Any, meta: dict) -> list[Change]:
    """Sees that a training of a config can go on from a checkpoint.

    Args:
        config: The present config.
        meta: Of the checkpoint.

    Returns:
        What was changed, and is applied.

    Raises:
        ValueError: Something was changed that makes another training; the message names it.
    """
    another, applied = config_changes(meta['cfg'], config) if meta.get('cfg') else ([], [])
    seed = (config.get('randomness') or {}).get('seed')
    if seed is not None and meta.get('seed', seed) != seed:
        another.append(('randomness.seed', meta['seed'], seed))
    if another:
        raise ValueError(
            f'--resume cannot go on: {describe_changes(another)}, which makes another training. Set it back, or start '
            'in another --work-dir, from the weights of this one if you like (--cfg-options load_from=FILE).'
        )
    return applied


def amounts(runner: Runner) -> dict[str, int]:
    """Numbers that make an epoch what it is, besides the config: of processes, and of samples where these are known."""
    dataset = runner.train_dataloader.dataset
    samples = dict(samples=len(dataset)) if hasattr(dataset, '__len__') else {}
    return dict(processes=get_world_size(), **samples)


def check_same_amount(runner: Runner, meta: dict) -> None:
    """Sees that an epoch is what it was.

    Args:
        runner: Whose data are read.
        meta: Of the checkpoint.

    Raises:
        ValueError: There are other numbers of processes or samples.
    """
    now, epochs = amounts(runner), meta['epoch']
    length = len(runner.train_dataloader) if epochs else 1
    if epochs and 'samples' not in meta:  # written by another program
        now, meta = {'iterations in an epoch': length}, {'iterations in an epoch': meta['iter'] / epochs}
    other = [(name, meta[name], number) for name, number in now.items() if meta.get(name, number) != number]
    if other:
        raise ValueError(
            f'--resume cannot go on: the number of {describe_changes(other)}. Give the data and the number of '
            'processes that the training began with, or start in another --work-dir.'
        )
    if epochs and meta.get('iter', 0) % length:
        runner.logger.warning(
            f'The checkpoint was written within epoch {epochs + 1}, which begins anew: the training will not equal an '
            'uninterrupted one. Checkpoints at the end of epochs (default_hooks.checkpoint.by_epoch=True) make it so.'
        )


def take_present_settings(state: dict, wrapper: OptimWrapper) -> None:
    """Replaces the hyper-parameters in the saved state of an optimizer by those of one built from the present config.

    Args:
        state: As saved. Changed in place.
        wrapper: Of the present config; its schedules stand at their beginning.

    Raises:
        ValueError: Its parameters are grouped in another way.
    """
    present = wrapper.state_dict()
    before, now = state['param_groups'], present['param_groups']
    if [len(group['params']) for group in before] != [len(group['params']) for group in now]:
        raise ValueError(
            f'--resume cannot go on: the optimizer has {len(now)} groups of parameters and had {len(before)}, or '
            'groups of another size. Set optim_wrapper.paramwise_cfg back, or start in another --work-dir.'
        )
    for old, new in zip(before, now, strict=True):
        settings = {key: value for key, value in new.items() if key in wrapper.defaults or key.startswith('initial_')}
        old.update(settings)
    # What mmengine logs the rate of, where there are several groups.
    if 'base_param_settings' in present:
        state['base_param_settings'] = present['base_param_settings']


def advance_schedules(runner: Runner) -> None:
    """Steps the schedules, which stand at their beginning, as often as training has.

    Step by step, as most compute a value from the one before: so it comes out the same to the last bit.

    Args:
        runner: Its loop stands where training goes on.
    """
    hook, length = ParamSchedulerHook(), len(runner.train_dataloader) if runner.epoch else 1
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # torch misses the steps of the optimizer
        for iteration in range(1, runner.iter + 1):
            hook.after_train_iter(runner, 0)
            if runner.epoch and iteration % length == 0:
                hook.after_train_epoch(runner)


def _named_wrappers(wrapper: Any) -> dict[str, OptimWrapper]:
    """The optimizers by name; a single one under an empty name."""
    return dict(wrapper.items()) if hasattr(wrapper, 'items') else {'': wrapper}


def _follows_validation(schedulers: Any) -> bool:
    lists = schedulers.values() if isinstance(schedulers, dict) else [schedulers or []]
    return any(getattr(schedule, 'need_val_args', False) for schedules in lists for schedule in schedules)


def _shortest(rates: dict[str, list[float]]) -> str:
    """Rates by name, one number where all groups have it."""
    parts = [f'{name} {", ".join(f"{rate:.4g}" for rate in dict.fromkeys(values))}' for name, values in rates.items()]
    return '; '.join(parts)


@HOOKS.register_module()
class ValidateOnResumeHook(Hook):
    """Validates before a resumed training goes on, if its checkpoint was due for it and does not hold the outcome.

    A checkpoint is written before the validation of its epoch. A training that is killed in between goes on with the
    next epoch: the score, and the weights that may be the best, would be lost.
    """

    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        """Validates."""
        validated = runner.message_hub.runtime_info.get('last_validated_iter')
        if runner.iter and runner.iter != validated and runner.val_loop is not None and _due(runner.train_loop):
            runner.val_loop.run()

    def before_val_epoch(self, runner: Runner) -> None:
        """Notes what is validated, for the checkpoint that is written anew if the score is the best."""
        runner.message_hub.update_info('last_validated_iter', runner.iter)


def _due(loop) -> bool:
    """Whether a training loop validates where it stands."""
    if not isinstance(loop, EpochBasedTrainLoop | IterBasedTrainLoop):
        return False
    loop._decide_current_val_interval()
    by_epoch = isinstance(loop, EpochBasedTrainLoop)
    done, end = (loop.epoch, loop.max_epochs) if by_epoch else (loop.iter, loop.max_iters)
    return done >= loop.val_begin and (done % loop.val_interval == 0 or done == end)
