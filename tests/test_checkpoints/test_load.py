import json
import re
import shutil

import pytest
import torch
from diffusers import DDPMScheduler, UNet2DConditionModel, UNet2DModel
from huggingface_hub import ModelCard
from safetensors.torch import load_file, save_file

from mmseg_pfdiff.checkpoints.card import GeneratorCard
from mmseg_pfdiff.checkpoints.load import load_cascade, load_models
from mmseg_pfdiff.checkpoints.save import save_cascade
from mmseg_pfdiff.models.cascade import PairCascade
from mmseg_pfdiff.models.diffusion.samplers import build_sampler

from ..generators import TINY_UNET, make_generator, make_super_resolution

CLASSES = ('matrix', 'austenite', 'martensite_austenite', 'defect')
PALETTE = [[0, 114, 178], [240, 228, 66], [213, 94, 0], [0, 0, 0]]
C = torch.tensor([[0.4, 0.3, 0.2, 0.1], [0.05, 0.9, 0.05, 0.0]])
SCHEDULE = dict(prediction_type='v_prediction', rescale_betas_zero_snr=True)


def make_card(**kwargs):
    vectors = torch.rand(20, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    settings = dict(groups=[dict(name='uniform', share=1.0)], sigma=0.03)
    return GeneratorCard(CLASSES, PALETTE, vectors / vectors.sum(1, keepdim=True), settings)._replace(**kwargs)


def assert_same_pairs(a, b):
    for first, second in zip(a(C, 3, [0, 7]), b(C, 3, [0, 7]), strict=True):
        assert torch.equal(first, second)


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp('pretrained') / 'steel'
    save_cascade(PairCascade(make_generator(), make_super_resolution(max_noise=0.3)), folder, make_card())
    return folder


@pytest.fixture
def copied(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / 'copy')


def change_json(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ('generator', 'super_resolution'),
    [
        (dict(), None),
        (dict(guidance_scale=2.0, fraction_guidance=0.7, sampler=dict(type='ddim', steps=3, eta=0.5)), dict()),
        (dict(unet=dict(TINY_UNET, patch_size=2), noise_schedule=SCHEDULE, sampler='unipc'), dict(max_noise=0.2)),
        # A sampler takes over what the training schedule was given, and not what it left at its defaults.
        (dict(num_train_timesteps=400, sampler=dict(type='dpmsolver++', steps=4)), dict(fraction_guidance=1.0)),
    ],
)
def test_the_reloaded_cascade_draws_the_same_pairs(tmp_path, generator, super_resolution):
    sr = make_super_resolution(**super_resolution) if super_resolution is not None else None
    cascade = PairCascade(make_generator(**generator), sr)
    save_cascade(cascade, tmp_path / 'a', make_card())
    assert_same_pairs(cascade, load_cascade(tmp_path / 'a'))


def test_a_palette_code_is_rebuilt(tmp_path):
    preprocessor = dict(type='PairDataPreprocessor', num_classes=4, size=16, code='palette', palette=PALETTE)
    cascade = PairCascade(type(make_generator())(preprocessor, unet=TINY_UNET, sampler=dict(type='renoise', steps=2)))
    save_cascade(cascade, tmp_path / 'a', make_card())
    again = load_cascade(tmp_path / 'a')
    assert torch.equal(again.generator.data_preprocessor.codec.codes, cascade.generator.data_preprocessor.codec.codes)
    assert_same_pairs(cascade, again)


def test_what_was_changed_after_building_is_written(tmp_path):
    generator = make_generator()
    generator.guidance_scale = 3.0
    generator.sampler = build_sampler(dict(type='dpmsolver++3m', steps=5))
    cascade = PairCascade(generator, channels_last=True)
    save_cascade(cascade, tmp_path / 'a', make_card())
    again = load_cascade(tmp_path / 'a', channels_last=True)
    assert again.generator.guidance_scale == 3 and again.generator.sampler.steps == 5
    assert_same_pairs(cascade, again)


def test_a_sampler_may_be_chosen_anew(saved):
    models, _ = load_models(saved, sampler='ddim', steps=7)
    for model in models.values():
        assert model.sampler.scheduler_class.__name__ == 'DDIMScheduler' and model.sampler.steps == 7
    models, _ = load_models(saved, steps=9)
    assert models['generator'].sampler.scheduler_class.__name__ == 'RenoiseScheduler'


def test_the_card_comes_back(saved):
    card, again = make_card(), load_models(saved)[1]
    assert again.classes == card.classes and again.palette == card.palette and again.data == card.data
    assert torch.equal(again.vectors, card.vectors)
    for index in range(5):
        first, second = (each.fraction_sampler()(1, index) for each in (card, again))
        assert torch.equal(first.target, second.target) and first.group == second.group


def test_plain_diffusers_opens_networks_and_schedule(saved):
    cascade = load_cascade(saved)
    net = UNet2DConditionModel.from_pretrained(saved / 'generator/unet')
    x, t = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0)), 17
    with torch.no_grad():
        expected = cascade.generator.unet(x, t, C)
        # diffusers leaves weights where they lie in the file, unaligned, for which kernels may round differently.
        torch.testing.assert_close(net(x, t, encoder_hidden_states=C[:, None], class_labels=C).sample, expected)
        high = UNet2DModel.from_pretrained(saved / 'super_resolution/unet')
        x, level = torch.randn(1, 8, 32, 32, generator=torch.Generator().manual_seed(1)), torch.tensor([40.0])
        expected = cascade.super_resolution.unet(x, t, noise_level=level)
        torch.testing.assert_close(high(x, t, class_labels=level).sample, expected)
    schedule = DDPMScheduler.from_pretrained(saved / 'generator/scheduler')
    assert torch.equal(schedule.alphas_cumprod, cascade.generator.training_schedule.alphas_cumprod)


def test_the_folder_is_text_and_safetensors(saved):
    files = sorted(str(path.relative_to(saved)) for path in saved.rglob('*') if path.is_file())
    part = ['config.json', 'scheduler/scheduler_config.json', 'unet/config.json']
    part += ['unet/diffusion_pytorch_model.safetensors']
    expected = [f'{name}/{file}' for name in ('generator', 'super_resolution') for file in part]
    assert files == sorted(['README.md', 'card.json', 'model_index.json', *expected])
    assert len({path.stat().st_mode for path in saved.rglob('*') if path.is_file() and path.parent.name == 'unet'}) == 1
    assert [path.name for path in saved.parent.glob('.*')] == ['.steel.lock']


def test_the_readme_says_what_a_user_must_know(tmp_path):
    card = make_card(data='Three micrographs of {steel}.', licence='CC BY 4.0')
    save_cascade(PairCascade(make_generator()), tmp_path / 'a', card)
    text = (tmp_path / 'a/README.md').read_text()
    assert 'Three micrographs of {steel}.' in text and 'CC BY 4.0' in text
    assert text.index('| 0 | matrix | 0, 114, 178 |') < text.index('| 3 | defect | 0, 0, 0 |')
    assert f'{card.vectors[:, 3].mean():.4f}' in text
    assert 'RenoiseScheduler, 3 steps' in text and 'pairs of 16x16' in text
    assert 'super-resolution' not in text
    data = ModelCard(text).data
    assert (data.library_name, data.license, len(data.tags)) == ('diffusers', 'other', 3)
    # Its example is to be pasted.
    [fractions] = re.findall(r'torch\.tensor\((.*?)\)', text)
    example = torch.tensor(json.loads(fractions))
    images, labels = load_cascade(tmp_path / 'a')(example, seed=0)
    assert images.shape == labels.shape == (1, 16, 16)
    assert (example - card.vectors.mean(0)).abs().max() < 0.01


def test_class_names_do_not_break_the_table_of_the_readme():
    names = ('a|b', '<b>', 'martensite_austenite', '*x*')
    text = make_card(classes=names).readme(make_generator(), None)
    rows = [line for line in text.splitlines() if re.match(r'\| \d \|', line)]
    assert [row.split(' | ')[1] for row in rows] == ['a\\|b', '\\<b>', 'martensite_austenite', '\\*x\\*']


def test_only_new_folders_are_written(saved, tmp_path):
    before = (saved / 'model_index.json').read_bytes()
    with pytest.raises(FileExistsError, match='not an empty folder'):
        save_cascade(PairCascade(make_generator()), saved, make_card())
    assert (saved / 'model_index.json').read_bytes() == before
    with pytest.raises(ValueError, match='draws 4 classes; got 3 names'):
        save_cascade(PairCascade(make_generator()), tmp_path / 'b', make_card(classes=CLASSES[:3]))
    assert [path.name for path in tmp_path.iterdir()] == ['.b.lock'], 'nothing is left of a failed export'


PREPROCESSOR = dict(type='Runner', num_classes=4, size=16)
FILES = ['model_index.json', 'card.json', 'generator/config.json', 'generator/unet/config.json']
FILES += ['generator/scheduler/scheduler_config.json', 'super_resolution/config.json']


@pytest.mark.parametrize('name', [*FILES, 'super_resolution/unet/diffusion_pytorch_model.safetensors'])
def test_missing_and_damaged_files_are_named(copied, name):
    whole = (copied / name).read_bytes()
    (copied / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=name):
        load_cascade(copied)
    (copied / name).unlink()
    with pytest.raises(FileNotFoundError, match=f'{name} is missing'):
        load_cascade(copied)


@pytest.mark.parametrize(
    ('name', 'changes', 'message'),
    [
        ('model_index.json', dict(format_version=2), 'format version 2; this version .* reads .* format version 1'),
        ('model_index.json', dict(_class_name='StableDiffusionPipeline'), "describes a 'StableDiffusionPipeline'"),
        ('model_index.json', dict(generator=['os', 'system']), r"generator must be a PFDiffSeg .*got \['os', 'system'"),
        ('generator/config.json', dict(type='EncoderDecoder'), "must be of a PFDiffSeg, got 'EncoderDecoder'"),
        ('generator/config.json', dict(data_preprocessor=PREPROCESSOR), "got 'PFDiffSeg' with 'Runner'"),
        ('generator/config.json', dict(sampler=dict(type='DiffusionPipeline', steps=2)), "no scheduler 'DiffusionPip"),
        ('generator/config.json', dict(colour=1), 'do not fit PFDiffSeg of this version.*colour'),
        ('generator/config.json', dict(unet=dict(block_out_channels=[4, 8], norm_num_groups=4)), 'block_out_channels'),
        ('generator/unet/config.json', dict(act_fn='gelu'), r'does not agree with the config.json .*\(act_fn\)'),
        ('generator/scheduler/scheduler_config.json', dict(beta_end=0.5), r'does not agree .*\(beta_end\)'),
        ('card.json', dict(palette=[]), 'draws 4 classes; got 4 names and 0 colours'),
        ('card.json', dict(vectors=[[1, 0, 0]]), r'card.json: damaged.*must be \(R, 4\)'),
        ('card.json', dict(vectors=[[1, 1, 0, 0]]), 'card.json: damaged.*sum to 1'),
        ('card.json', dict(fraction_settings=dict(type='X')), r"card.json: damaged.*got \['type'\]"),
        ('card.json', dict(author='me'), 'card.json: damaged.*author'),
    ],
)
def test_changed_files_are_refused(copied, name, changes, message):
    change_json(copied / name, **changes)
    with pytest.raises(ValueError, match=message):
        load_cascade(copied)


def test_weights_of_another_network_are_refused(copied):
    path = copied / 'generator/unet/diffusion_pytorch_model.safetensors'
    weights = load_file(path)
    weights.pop('conv_in.weight')
    save_file(weights, path)
    with pytest.raises(ValueError, match=r'(?s)does not fit the network of .*generator/config.json.*conv_in.weight'):
        load_cascade(copied)
    torch.save(weights, path)
    with pytest.raises(ValueError, match='is damaged'):
        load_cascade(copied)
