"""ValidateOnResumeHook: a validation that an interruption cut off is made up for."""

from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from mmseg.registry import HOOKS


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
