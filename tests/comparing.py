"""Comparisons of the smallest networks, and their tasks in processes that need not import anything."""

import json
from pathlib import Path

from mmseg_pfdiff.comparison.choice import best_ratio
from mmseg_pfdiff.comparison.job import Job
from mmseg_pfdiff.comparison.plan_file import read_plan
from mmseg_pfdiff.comparison.report import write_report
from mmseg_pfdiff.comparison.scheduling import sync_marks, write_tasks
from mmseg_pfdiff.comparison.summary import summarise
from mmseg_pfdiff.comparison.workbench import Workbench

from .running import ROOT, SMALL_SEGMENTOR, forget_last_run

NOT_IN_WORKERS = {
    f'{part}_dataloader.{key}': value
    for part in ('train', 'val', 'test')
    for key, value in (('num_workers', 0), ('persistent_workers', False))
}


def write_plan(path: Path, root: Path, **fields) -> Path:
    """A plan of the smallest networks that the configs allow."""
    pf_diffseg = {
        'model.data_preprocessor.size': 32,
        'model.unet.block_out_channels': (8, 16),
        'model.unet.norm_num_groups': 4,
        'model.sampler.steps': 2,
        'val_dataloader.sampler.num': 2,
        **{key: value for key, value in NOT_IN_WORKERS.items() if 'test' not in key},
    }
    segmentor = {
        **NOT_IN_WORKERS,
        'model.data_preprocessor.size': (64, 64),
        'model.test_cfg.crop_size': (64, 64),
        'model.test_cfg.stride': (64, 64),
        'train_dataloader.dataset.real.pipeline.2.crop_size': (64, 64),
        'train_dataloader.dataset.synthetic.pipeline.2.scale': (64, 64),
        'train_dataloader.dataset.synthetic.pipeline.3.crop_size': (64, 64),
        **SMALL_SEGMENTOR,
        'train_dataloader.batch_size': 8,
        'train_cfg.val_interval': 1,
        'default_hooks.checkpoint.interval': 1,
    }
    plan = dict(
        data=dict(demo=str(root)),
        seeds=[0],
        ratios=[1],
        epochs=2,
        budget='iterations',
        segmentors=dict(unet_r18=str(ROOT / 'configs/small/unet_r18_128x128_ratio2.py')),
        segmentor_options=segmentor,
        generators=dict(
            small=dict(config=str(ROOT / 'configs/small/pf-diffseg_tiny-64x64.py'), epochs=1, options=pf_diffseg)
        ),
        methods={
            'pf-diffseg': dict(
                generator='small',
                options={'fraction_sampler.groups': [dict(name='all', share=1)]},
                arguments=['--max-moved', '1', '--max-invented', '1'],
                paper='PF-DiffSeg',
            )
        },
    )
    plan.update(fields)
    path.write_text('\n'.join(f'{key} = {value!r}' for key, value in plan.items()) + '\n')
    return path


def do_task(tasks: Path, name: str) -> None:
    """Does a task, as the job of Snakemake does. For a process without threads, as those of `forked.start`."""
    forget_last_run()
    Job(json.loads(tasks.read_text()), name).run()


def compare(plan: Path, work_dir: Path) -> None:
    """Works a comparison off as `tools/compare.py` does, task after task in this process."""
    bench = Workbench(read_plan(plan), work_dir)
    bench.check()
    sync_marks(bench)
    tasks = write_tasks(bench, ROOT / 'tools')
    for task in bench.tasks:
        if not bench.done(task):
            do_task(tasks, task.name)
        elif task.kind == 'choice':
            scores = bench.validation_scores(task)
            bench.records.set_mark(task.name, dict(ratio=best_ratio(scores), validation=scores))
    write_report(summarise(bench), bench.work_dir / 'report')
