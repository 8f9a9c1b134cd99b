"""Joining the processes of a launcher, on GPUs or CPUs."""

import os

import torch.distributed
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import init_dist, is_distributed

# Where a launcher tells each process its number, their number, and its number on its machine.
ENVIRONMENT = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
}


def process_rank(launcher: str) -> int:
    """Number of this process among those that a launcher started, before they are joined.

    Args:
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.

    Returns:
        0 for the first one.

    Raises:
        ValueError: The process was not started by that launcher.
    """
    return 0 if launcher == 'none' else int(os.environ[_variables(launcher)[0]])


def _variables(launcher: str) -> tuple[str, str, str]:
    """The environment variables of a launcher; refuses a process that it has not started."""
    names = ENVIRONMENT[launcher]
    absent = [name for name in names if name not in os.environ]
    if absent:
        raise ValueError(
            f'--launcher {launcher} needs {absent[0]} in the environment: start the command with '
            f'{dict(pytorch="torchrun --nproc_per_node=2 --", slurm="srun", mpi="mpirun")[launcher]} in front.'
        )
    return names


def join_processes(launcher: str, device: str) -> None:
    """Connects this process with the others that a launcher started.

    mmengine's `init_dist` claims a GPU whatever the backend; without GPUs the processes are joined by gloo here.

    Args:
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.
        device: 'cpu', 'cuda', ...

    Raises:
        ValueError: The process was not started by that launcher.
    """
    if launcher == 'none' or is_distributed():
        return
    names = _variables(launcher)
    if device.startswith('cuda'):
        init_dist(launcher)
        return
    for target, name in zip(ENVIRONMENT['pytorch'], names, strict=True):
        os.environ[target] = os.environ[name]
    os.environ.setdefault('MASTER_ADDR', '127.0.0.1')
    os.environ.setdefault('MASTER_PORT', '29500')
    torch.distributed.init_process_group('gloo')


def prepare_cpu_training(config: Config) -> None:
    """Joins the processes of a training on CPUs, and has its model wrapped without GPUs, which mmengine gives it.

    Args:
        config: Of the run, with `launcher`. Changed in place. On GPUs, and for one process, it stays as it is.

    Raises:
        ValueError: The process was not started by the launcher.
    """
    if config.launcher == 'none' or get_device() != 'cpu':
        return
    join_processes(config.launcher, 'cpu')
    default = dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=config.get('find_unused_parameters', False),
    )
    config.model_wrapper_cfg = {**(config.get('model_wrapper_cfg') or default), 'device_ids': None}
