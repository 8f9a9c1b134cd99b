from mmengine.config import Config

from mmseg_pfdiff.comparison.commands import TaskCommands
from mmseg_pfdiff.comparison.plan_file import read_plan
from mmseg_pfdiff.comparison.task_records import TaskRecords
from mmseg_pfdiff.comparison.tasks import list_tasks, run_name
from mmseg_pfdiff.comparison.workbench import too_few
from mmseg_pfdiff.pairs.rows import PairRow

from ..running import ROOT
from .conftest import write_plan

CONFIGS = {
    'mask': 'seg-guided-mask_tiny-64x64.py',
    'image': 'seg-guided-image_tiny-64x64.py',
    'sr': 'pair-sr_tiny-64to128.py',
}


def commands_of(plan, work):
    """The commands of a comparison whose trainings are done."""
    records = TaskRecords(work / 'state')
    for name, training in plan.generators.items():
        folder = work / 'generators/demo' / name
        folder.mkdir(parents=True)
        (folder / 'last_checkpoint').write_text(str(folder / 'epoch_1.pth'))
        path = records.config(f'generators/demo/{name}')
        path.parent.mkdir(parents=True)
        Config.fromfile(training.config).dump(path)
    run = run_name('demo', 'unet_r18', 'real', 0, 0)
    records.set_mark(run, dict(weights='best_mIoU_epoch_2.pth'))
    return TaskCommands(plan, work, records)


def test_a_two_stage_baseline_is_drawn_by_its_two_models_under_their_options(demo_data, tmp_path):
    generators = {
        name: dict(config=str(ROOT / 'configs/small' / file), epochs=1) for name, file in CONFIGS.items()
    }  # fmt: skip
    method = dict(
        generator='mask', image='image', super_resolution='sr', drop_disagreeing=True,
        image_options={'model.sampler.steps': 3}, super_resolution_options={'model.sampler.steps': 4},
    )  # fmt: skip
    plan = read_plan(write_plan(tmp_path / 'plan.py', demo_data, generators=generators, methods=dict(two=method)))
    [pairs] = [task for task in list_tasks(plan) if task.kind == 'pairs']
    commands, state = commands_of(plan, tmp_path), tmp_path / 'state'
    weights = {name: str(tmp_path / f'generators/demo/{name}/epoch_1.pth') for name in CONFIGS}
    assert commands.draw_pairs(pairs, 7) == [
        'generate_pairs.py', str(state / 'generators/demo/mask/config.py'), weights['mask'],
        '--out', str(tmp_path / 'pairs/demo/two'), '--num', '7',
        '--image-config', str(state / 'pairs/demo/two/image/config.py'), '--image-checkpoint', weights['image'],
        '--sr-config', str(state / 'pairs/demo/two/sr/config.py'), '--sr-checkpoint', weights['sr'],
    ]  # fmt: skip
    for name, steps in (('image', 3), ('sr', 4)):
        config = Config.fromfile(state / f'pairs/demo/two/{name}/config.py')
        assert config.model.sampler.steps == steps
    run = run_name('demo', 'unet_r18', 'real', 0, 0)
    assert commands.drop_disagreeing(pairs) == [
        'check_pairs.py', str(tmp_path / 'pairs/demo/two'), '--real-root', str(demo_data),
        '--segmentor', str(state / run / 'config.py'), str(tmp_path / run / 'best_mIoU_epoch_2.pth'),
        '--filter', 'mark', '--no-copies', '--no-distances',
    ]  # fmt: skip


def test_advice_fits_the_reason():
    def row(reason):
        return PairRow(0, 0, 'all', (1.0,), (1.0,), kept=not reason, reason=reason)

    contradicted = [row(''), *[row('image and mask disagree: mean IoU 0.1, limit 0.3')] * 2, row('3 % moved')]
    text = too_few(contradicted, 5)
    assert text.startswith('only 1 of 4 pairs are kept, 5 are needed; most of the others are contradicted')
    assert 'guide the generator' in too_few([row('3 % moved')] * 3, 5)
