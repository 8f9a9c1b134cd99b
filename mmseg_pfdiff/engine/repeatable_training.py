"""RepeatableTrainingHook: a training that was interrupted ends with the weights of one that was not."""

from mmengine.dataset import InfiniteSampler
from mmengine.dist import broadcast_object_list
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from .seeded_samples import EPOCH, ITERATION, number_samples, seed_process


@HOOKS.register_module()
class RepeatableTrainingHook(Hook):
    """Has all random numbers of training follow from the seed of the run and from how far it has come.

    - Noise, time steps and dropout: seeded by (seed, process, iteration).
    - Augmentation of a sample: by (seed, process, epoch, place in the epoch), in worker processes too.
    - Order of the samples: the sampler's, from the seed of the run; of a resumed run that has no seed in its config,
      from the seed in the checkpoint, which mmengine reads only after it has built the sampler.

    With kernels that repeat themselves, as on a CPU, a resumed training ends with the very weights of an
    uninterrupted one.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Numbers the samples."""
        seed = [runner.seed]
        broadcast_object_list(seed)  # with `diff_rank_seed` each process has its own, and the order must be common
        self.seed = int(seed[0])
        loop = runner.train_loop
        loader = loop.dataloader
        # A seed that the config gives to the sampler is its own.
        if hasattr(loader.sampler, 'seed') and _sampler_settings(runner).get('seed') is None:
            loader.sampler.seed = self.seed
        self.samples = number_samples(loader, self.seed, runner.rank)
        if self.samples is None:
            runner.logger.warning('Samples without an index are not augmented as in an uninterrupted training.')
        elif _by_iterations(runner):
            self.samples.begin(0, _skipped(runner))
            restart_iterator(loop)

    def before_train_epoch(self, runner: Runner) -> None:
        """Says which epoch it is."""
        seed_process(EPOCH, self.seed, runner.rank, runner.epoch)
        if self.samples is not None and not _by_iterations(runner):
            self.samples.begin(runner.epoch)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Seeds."""
        seed_process(ITERATION, self.seed, runner.rank, runner.iter)


def _sampler_settings(runner: Runner) -> dict:
    return runner.cfg.get('train_dataloader', {}).get('sampler', {})


def _by_iterations(runner: Runner) -> bool:
    """Whether the loop draws batches from one endless row, as `IterBasedTrainLoop` does."""
    return hasattr(runner.train_loop, 'dataloader_iterator')


def _skipped(runner: Runner) -> int:
    """Samples that a resumed loop of iterations passes over without drawing them; others it draws and throws away."""
    loop = runner.train_loop
    passed_over = hasattr(loop.dataloader.sampler, 'skip') or getattr(loop, 'fast_forward_on_resume', False)
    return runner.iter * loop.dataloader.batch_sampler.batch_size if passed_over else 0


def restart_iterator(loop) -> None:
    """Has a loop of iterations that began to draw samples when it was built, as mmengine's own does, begin again."""
    loader = loop.dataloader
    if loop.dataloader_iterator._iterator is not None:
        loader._iterator = None  # where persistent workers are kept
        if isinstance(loader.sampler, InfiniteSampler):
            loader.sampler.indices = loader.sampler._indices_of_rank()  # it stood where the first iterator left it
        loop.dataloader_iterator = type(loop.dataloader_iterator)(loader)
