"""ValidateOnResumeHook: a validation that an interruption cut off is made up for."""

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS


@HOOKS.register_module()
class ValidateOnResumeHook(Hook):
    """Validates before a resumed training goes on, if its checkpoint was due for it.

    A checkpoint is written before the validation of its epoch. A training that is killed in between goes on with the
    next epoch: the score, and the weights that may be the best, would be lost. One that was not lost is found again.
    """

    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        """Validates."""
        loop = runner.train_loop
        due = runner.epoch >= loop.val_begin and (
            runner.epoch % loop.val_interval == 0 or runner.epoch == loop.max_epochs
        )
        if runner.epoch and runner.val_loop is not None and due:
            runner.val_loop.run()
