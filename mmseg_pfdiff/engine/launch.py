"""Joining the processes of a launcher, on GPUs or CPUs."""

import os

import torch.distributed
from mmengine.dist import init_dist

# Where a launcher tells each process its number, their number, and its number on its machine.
ENVIRONMENT = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
}


def join_processes(launcher: str, device: str) -> None:
    """Connects this process with the others that a launcher started.

    mmengine's `init_dist` claims a GPU whatever the backend; without GPUs the processes are joined by gloo here.

    Args:
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.
        device: 'cpu', 'cuda', ...

    Raises:
        ValueError: The process was not started by that launcher.
    """
    if launcher == 'none':
        return
    names = ENVIRONMENT[launcher]
    absent = [name for name in names if name not in os.environ]
    if absent:
        raise ValueError(
            f'--launcher {launcher} needs {absent[0]} in the environment: start the command with '
            f'{dict(pytorch="torchrun --nproc_per_node=2 --", slurm="srun", mpi="mpirun")[launcher]} in front.'
        )
    if device.startswith('cuda'):
        init_dist(launcher)
        return
    for target, name in zip(ENVIRONMENT['pytorch'], names, strict=True):
        os.environ[target] = os.environ[name]
    os.environ.setdefault('MASTER_ADDR', '127.0.0.1')
    os.environ.setdefault('MASTER_PORT', '29500')
    torch.distributed.init_process_group('gloo')
