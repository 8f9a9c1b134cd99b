"""What README.md and the pages of docs/ tell a user to write is there: tools, options, settings, files, components."""

import contextlib
import inspect
import io
import re
from pathlib import Path

import mmseg.registry
import pytest
from mmengine.config import Config
from mmengine.registry import Registry

from .running import run_tool

ROOT = Path(__file__).parents[1]
README = ROOT / 'README.md'
PAGES = [README, ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').rglob('*.md'))]
TOOLS = sorted(path.relative_to(ROOT / 'tools').as_posix() for path in (ROOT / 'tools').rglob('*.py'))
# Of pip, torchrun, srun and mkdocs; and whatever Snakemake takes, behind compare.py.
OTHER_OPTIONS = {'--no-build-isolation', '--nproc_per_node', '--nodes', '--ntasks-per-node', '--gres'}
FORWARDING = {'compare.py'}
every_page = pytest.mark.parametrize('page', PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())


def commands(page):
    r"""Tool and arguments of each command on a page, in a block or in a line; a backslash joins lines."""
    text = page.read_text().replace('\\\n', ' ')
    return re.findall(r'\btools/([\w/]+\.py)([^\n`|#]*)', text)


def code_in_text(page):
    """Pieces of code in the running text and in the tables of a page."""
    return re.findall(r'`([^`\n]+)`', re.sub(r'```.*?```', '', page.read_text(), flags=re.DOTALL))


@pytest.fixture(scope='module')
def options_of():
    """Tool -> the options that its --help names."""
    options = {}
    for tool in TOOLS:
        with contextlib.redirect_stdout(io.StringIO()) as output, pytest.raises(SystemExit):
            run_tool(tool, '--help')
        options[tool] = set(re.findall(r'--[\w-]+', output.getvalue()))
    return options


def test_readme_fits_two_screens():
    assert len(README.read_text().splitlines()) <= 120


@every_page
def test_commands_name_tools_and_their_options(page, options_of):
    for tool, arguments in commands(page):
        assert tool in options_of, tool
        if tool not in FORWARDING:
            assert set(re.findall(r'(?<!\S)--[a-z][\w-]*', arguments)) <= options_of[tool], f'{tool}{arguments}'


@every_page
def test_options_in_the_text_are_some_tool_s(page, options_of):
    forwards = any(tool in FORWARDING for tool, _ in commands(page))
    known = set().union(OTHER_OPTIONS, *options_of.values())
    options = {option for code in code_in_text(page) for option in re.findall(r'(?<!\S)--[a-z][\w-]*', code)}
    assert forwards or options <= known, options - known


@every_page
def test_settings_in_commands_are_in_their_configs(page):
    for _, arguments in commands(page):
        words = arguments.split()
        if '--cfg-options' not in words or not words[0].startswith('configs/'):
            continue
        config = Config.fromfile(ROOT / words[0])
        for word in words[words.index('--cfg-options') + 1 :]:
            if word.startswith('--') or '=' not in word:
                break
            *parents, _ = word.partition('=')[0].split('.')
            setting = config
            for name in parents:  # the last name may be new: an argument that the config leaves at its default
                setting = setting[name]


@every_page
def test_files_it_names_are_there(page):
    text = page.read_text()
    paths = set(re.findall(r'(?<![\w./-])(?:configs|tools|mmseg_pfdiff|tests)/[\w./-]+\.\w+', text))
    missing = {path for path in paths if not (ROOT / path).is_file() and not path.startswith('configs/mine/')}
    assert not missing
    names = {path.name for folder in ('configs', 'tools', 'mmseg_pfdiff') for path in (ROOT / folder).rglob('*.py')}
    assert {code for code in code_in_text(page) if re.fullmatch(r'[\w-]+\.py', code)} <= names


def anchors(page):
    """Those of the headings of a page, as GitHub and mkdocs make them."""
    headings = re.findall(r'^#+ (.+)$', page.read_text(), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


@every_page
def test_links_lead_somewhere(page):
    for target in re.findall(r'\]\((?!https?:)([^)\s]+)\)', page.read_text()):
        path, _, anchor = target.partition('#')
        linked = (page.parent / path) if path else page
        assert linked.is_file(), target
        assert not anchor or anchor in anchors(linked), target


COMPONENT = re.compile(r'\[`(\w+)`\]\[([\w.]+)\]')
CONFIGURATION = (ROOT / 'docs/configuration.md').read_text()


def parameters(cls):
    """Name -> default of what a class and those above it take."""
    found = {}
    for base in reversed(cls.__mro__):
        if '__init__' in vars(base):
            found.update(inspect.signature(base.__init__).parameters)
    return {name: parameter.default for name, parameter in found.items()}


def registered():
    """Class name -> class, of all components of the package."""
    registries = [registry for registry in vars(mmseg.registry).values() if isinstance(registry, Registry)]
    classes = {cls for registry in registries for cls in registry.module_dict.values()}
    return {cls.__name__: cls for cls in classes if cls.__module__.startswith('mmseg_pfdiff.')}


def test_configuration_lists_every_component_where_it_is():
    listed = dict(COMPONENT.findall(CONFIGURATION))
    components = registered()
    assert set(components) == set(listed) - {'PairUNet'}
    for name, cls in components.items():
        assert listed[name] == f'{cls.__module__}.{cls.__name__}'


@pytest.mark.parametrize('row', [row for row in CONFIGURATION.splitlines() if COMPONENT.search(row) and row[0] == '|'])
def test_configuration_tells_defaults(row):
    first, settings = row.strip('|').split('|')[:2]
    for name, _ in COMPONENT.findall(first):
        defaults = parameters(registered()[name])
        for setting, value in re.findall(r'`(\w+)=([^`]+)`', settings):
            assert repr(defaults[setting]) == value, f'{name}.{setting}'


def test_every_config_is_listed():
    listed = set(code_in_text(ROOT / 'docs/configuration.md'))
    configs = {path.name for path in (ROOT / 'configs').glob('[!_]*/*.py')}
    assert configs <= listed | {'__init__.py'}, configs - listed
