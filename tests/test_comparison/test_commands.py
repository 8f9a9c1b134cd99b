from mmengine.config import Config

from mmseg_pfdiff.comparison.commands import TaskCommands
from mmseg_pfdiff.comparison.plan_file import read_plan
from mmseg_pfdiff.comparison.records import Records
from mmseg_pfdiff.comparison.tasks import list_tasks, run_name

from ..running import ROOT
from .conftest import write_plan

CONFIGS = {
    'mask': 'seg-guided-mask_tiny-64x64.py',
    'image': 'seg-guided-image_tiny-64x64.py',
    'sr': 'pair-sr_tiny-64to128.py',
}


def commands_of(plan, work):
    """The commands of a comparison whose configs of generators are written."""
    records = Records(work)
    for name, training in plan.generators.items():
        path = records.config(f'generators/demo/{name}')
        path.parent.mkdir(parents=True)
        Config.fromfile(training.config).dump(path)
    return TaskCommands(plan, records)


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
    weights = {name: f'weights:generators/demo/{name}' for name in CONFIGS}
    run = run_name('demo', 'unet_r18', 'real', 0, 0)
    assert commands(pairs) == [
        [
            'generate_pairs.py', str(state / 'generators/demo/mask/config.py'), weights['mask'],
            '--out', str(tmp_path / 'pairs/demo/two'), '--kept', str(pairs.units),
            '--image-config', str(state / 'pairs/demo/two/image/config.py'), '--image-checkpoint', weights['image'],
            '--sr-config', str(state / 'pairs/demo/two/sr/config.py'), '--sr-checkpoint', weights['sr'],
        ],
        [
            'check_pairs.py', str(tmp_path / 'pairs/demo/two'), '--real-root', str(demo_data),
            '--segmentor', str(state / run / 'config.py'), f'weights:{run}',
            '--filter', 'mark', '--no-copies', '--no-distances',
        ],
    ]  # fmt: skip
    for name, steps in (('image', 3), ('sr', 4)):
        config = Config.fromfile(state / f'pairs/demo/two/{name}/config.py')
        assert config.model.sampler.steps == steps


def test_images_are_drawn_for_label_maps_of_the_data(demo_data, tmp_path):
    config = str(ROOT / 'configs/small/mask-painter_tiny-128x128.py')
    method = dict(generator='painter', masks='tiles/ann_dir/train', remodel=True)
    plan = read_plan(
        write_plan(
            tmp_path / 'plan.py',
            demo_data,
            generators=dict(painter=dict(config=config, epochs=1)),
            methods=dict(given=method | dict(remodel=False), new=method),
        )
    )
    commands = commands_of(plan, tmp_path)
    given, new = (commands(task)[0] for task in list_tasks(plan) if task.kind == 'pairs')
    assert (
        given[1:3]
        == new[1:3]
        == [str(tmp_path / 'state/generators/demo/painter/config.py'), 'weights:generators/demo/painter']
    )
    assert given[-2:] == ['--masks', str(demo_data / 'tiles/ann_dir/train')] and new[-3:] == [*given[-2:], '--remodel']
