from pathlib import Path

import pytest

from ..running import ROOT

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
        segmentors=dict(unet_r18=str(ROOT / 'configs/pfdiff/unet_r18_128x128_ratio2.py')),
        segmentor_options=segmentor,
        generators=dict(
            small=dict(config=str(ROOT / 'configs/pfdiff/pf-diffseg_tiny-64x64.py'), epochs=1, options=pf_diffseg)
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


@pytest.fixture
def plan_file(demo_data, tmp_path):
    return write_plan(tmp_path / 'small.py', demo_data)
