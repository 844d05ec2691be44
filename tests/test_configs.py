"""Every config parses, and what it and configs/README.md describe can be built."""

import re
import runpy
import shlex

import pytest
import torch
from mmaction.registry import (
    DATA_SAMPLERS,
    DATASETS,
    HOOKS,
    METRICS,
    MODELS,
    PARAM_SCHEDULERS,
)
from mmengine.config import Config
from mmengine.registry import init_default_scope

from tests.helpers import ROOT

FOLDER = ROOT / 'configs'
CONFIGS = sorted(
    path.relative_to(FOLDER).as_posix()
    for path in FOLDER.rglob('*.py')
    if '_base_' not in path.parts
)
SEMI = [name for name in CONFIGS if '_semi_' in name]
VARIANTS = ('_extra.py', '_fsdp.py')  # of configs that are there
README = (FOLDER / 'README.md').read_text('utf-8').replace('\\\n', ' ')
PERFORMANCE = (ROOT / 'docs/performance.md').read_text('utf-8').replace('\\\n', ' ')
BLOCKS = '\n'.join(re.findall(r'```bash\n(.*?)```', README + PERFORMANCE, re.DOTALL))
TRAINING = re.findall(r'^(.*python tools/train\.py .*)$', BLOCKS, re.M)
SPLITTING = re.findall(r'^python tools/make_split\.py (.*)$', BLOCKS, re.M)
# lambda_2 and lambda_1 of Eq. 8 after the attention and its share
ROWS = {
    'supervised': None,
    'CC': ([], [], 0, 0.3),
    'LC': ([], [], 1, 0),
    'CC + LC': ([], [], 0.7, 0.3),
    'V': (['TemporalVariance'], [False], 1, 0),
    'VC': (['CyclicVariance'], [False], 1, 0),
    'V + L2': (['TemporalVariance'], [True], 1, 0),
    'VC + L2': (['CyclicVariance'], [True], 1, 0),
    'G': (['GradientSmoothness'], [False], 1, 0),
    'G + L2': (['GradientSmoothness'], [True], 1, 0),
    'supervised, all labels': None,
}


def load(name):
    init_default_scope('mmaction')
    return Config.fromfile(FOLDER / name)


def leaves(dataset):
    """The datasets inside a nest of wrappers, in order."""
    if 'datasets' in dataset:
        return [leaf for part in dataset['datasets'] for leaf in leaves(part)]
    return leaves(dataset['dataset']) if 'dataset' in dataset else [dataset]


def kinds(dataset):
    return [transform['type'] for transform in dataset['pipeline']]


def build(cfg):
    """Build all but the data; returns the model, without memory for its weights."""
    # Swin reads tensors while it is built
    with torch.device('cpu' if 'swin' in cfg.filename else 'meta'):
        model = MODELS.build(cfg.model)
    assert model.data_preprocessor is not None
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        METRICS.build(evaluator)
    for hook in (*cfg.default_hooks.values(), *cfg.custom_hooks):
        HOOKS.build(dict(hook))
    if cfg.param_scheduler is not None:  # a constant rate
        assert cfg.param_scheduler.type in PARAM_SCHEDULERS
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        assert DATA_SAMPLERS.get(loader.sampler.type)
        assert loader.batch_size % sum(loader.sampler.get('ratio', [1])) == 0
        for dataset in leaves(loader.dataset):
            DATASETS.build(dict(dataset, lazy_init=True))
    return model


def describe(model):
    """Attention, whether it is ramped, mask and class weight; None if supervised."""
    if not hasattr(model, 'method'):
        return None
    method = model.method
    assert method.loss_weight == 0.1
    names = [type(attention).__name__ for attention in method.attention]
    ramped = [attention.ramped for attention in method.attention]
    return names, ramped, method.mask_weight, method.class_weight


@pytest.mark.parametrize('name', CONFIGS)
def test_everything_but_the_data_can_be_built(name):
    model = build(load(name))
    detector = getattr(model, 'detector', model)
    published = dict(ucf24=48_003_705, jhmdb21=47_753_286)
    published = {} if name.startswith('backbones/') else published
    size = sum(p.numel() for p in detector.parameters())
    assert size == published.get(name.split('/')[-1].split('_')[0], size)


@pytest.mark.parametrize('name', CONFIGS)
def test_config_begins_with_its_command(name):
    text = (FOLDER / name).read_text().split('"""')[1]
    assert f'python tools/train.py configs/{name}' in text
    assert 'cost' in text.lower() or name.startswith('toy')


@pytest.mark.parametrize('name', SEMI)
def test_unlabelled_pipelines_drop_the_labels_before_packing(name):
    first, second = load(name).train_dataloader.dataset.datasets
    (labeled,) = leaves(first)
    assert 'TubesToMask' in kinds(labeled) and 'DropLabels' not in kinds(labeled)
    for unlabeled in leaves(second):
        assert 'TubesToMask' not in kinds(unlabeled)
        # a folder has no labels to drop
        assert 'DropLabels' in kinds(unlabeled) or unlabeled.type == 'VideoFolder'
        assert unlabeled.get('split_file') != labeled.split_file


@pytest.mark.parametrize('name', [n for n in SEMI if not n.startswith('toy')])
def test_labelled_and_unlabelled_clips_are_made_alike(name):
    labeled, *others = leaves(load(name).train_dataloader.dataset)

    def common(dataset):
        own = ('CountFrames', 'TubesToMask', 'DropLabels', 'Resize')
        return [kind for kind in kinds(dataset) if kind not in own]

    assert all(common(other) == common(labeled) for other in others)
    assert len({str(other.pipeline[-1]) for other in (labeled, *others)}) == 1


@pytest.mark.parametrize('prefix', ['ucf24', 'jhmdb21', 'reference/ucf24'])
def test_methods_of_the_paper_differ_in_one_dict(prefix):
    semi = [n for n in SEMI if n.startswith(prefix) and not n.endswith(VARIANTS)]
    cfgs = [load(name).to_dict() for name in semi]
    cfgs = [c for c in cfgs if c['model']['method']['type'] == 'SemiSupConsistency']
    attention = [cfg['model']['method'].pop('attention') for cfg in cfgs]
    assert len({str(value) for value in attention}) == len(cfgs) >= 3
    assert all(cfg == cfgs[0] for cfg in cfgs)


def test_more_videos_change_the_unlabelled_source_only():
    plain, extra = (load(f'ucf24_semi_var{end}.py') for end in ('', '_extra'))
    assert plain.model == extra.model
    labeled, unlabeled, folder = leaves(extra.train_dataloader.dataset)
    assert [labeled, unlabeled] == leaves(plain.train_dataloader.dataset)
    assert folder.type == 'VideoFolder'
    assert not folder.pipeline[kinds(folder).index('SampleTubeClip')].trimmed


def test_jhmdb21_follows_the_paper():
    cfg, other = load('jhmdb21_semi_var.py'), load('ucf24_semi_var.py')
    assert (cfg.train_cfg.max_epochs, other.train_cfg.max_epochs) == (50, 100)
    assert cfg.model.method == other.model.method
    for dataset in leaves(cfg.train_dataloader.dataset):
        at = kinds(dataset).index('Resize')
        assert dataset.pipeline[at].scale == (256, 256)
        assert kinds(dataset)[at + 1] == 'RandomCrop'
        assert 'splits/30_seed47/' in dataset.split_file


def test_frames_can_be_fed_as_bgr():
    cfg = load('jhmdb21_sup.py')
    cfg.merge_from_dict({'model.data_preprocessor.to_rgb': True})
    preprocessor = MODELS.build(cfg.model.data_preprocessor)
    clip = torch.tensor([10, 20, 30], dtype=torch.uint8).view(1, 3, 1, 1, 1)
    batch = dict(inputs=[clip.expand(2, 3, 8, 4, 4)], data_samples=[None])
    inputs = preprocessor(batch)['inputs']
    assert inputs.shape == (1, 2, 3, 8, 4, 4)
    colours = inputs[0, 1, :, 0, 0, 0] * 255
    assert colours.tolist() == pytest.approx([30, 20, 10])


@pytest.fixture
def follow(monkeypatch):
    """Parse a command of the README as tools/train.py does; returns the config."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.delenv('SSVAD_SPLIT', raising=False)
    tools = runpy.run_path(str(ROOT / 'tools/cli.py'))

    def run(command):
        words = shlex.split(command, comments=True)
        start = words.index('python')
        for assignment in words[:start]:
            monkeypatch.setenv(*assignment.split('=', 1))
        parser = tools['make_parser']('')
        init_default_scope('mmaction')
        return tools['load_config'](parser, parser.parse_args(words[start + 2 :]))

    return run


def paper_rows(dataset):
    """Rows of a table of the README: name -> command, attention, w, weights."""
    section = README.split(f'\n## {dataset},')[1].split('\n## ')[0]
    rows = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip('|').split('|')]
        if 'tools/train.py' in line:
            name = re.sub(r' \(Tables? [\d, ]+\)$', '', cells[0])
            assert len(cells) == 8 and name not in rows
            rows[name] = [cells[1].strip('`'), *cells[2:5]]
    return rows


@pytest.mark.parametrize('command', TRAINING)
def test_commands_of_the_readme_describe_something(command, follow):
    cfg = follow(command)
    build(cfg)
    for variable, value in re.findall(r'SSVAD_(\w+)=(\S+)', command):
        datasets = str(leaves(cfg.train_dataloader.dataset))
        assert value in datasets, variable


@pytest.mark.parametrize('dataset', ['UCF101-24', 'JHMDB-21'])
def test_tables_of_the_readme_have_the_rows_of_the_paper(dataset):
    missing = {'VC + L2, untrimmed'} if dataset == 'UCF101-24' else set()
    assert set(paper_rows(dataset)) == set(ROWS) | missing


@pytest.mark.parametrize(
    'dataset, name', [(d, n) for d in ('UCF101-24', 'JHMDB-21') for n in paper_rows(d)]
)
def test_rows_of_the_readme_are_what_they_say(dataset, name, follow):
    command, attention, share, weights = paper_rows(dataset)[name]
    cfg = follow(command)
    found = describe(build(cfg))
    assert found == ROWS[name.removesuffix(', untrimmed')]
    if found is None:
        assert (attention, share, weights) == ('–', '–', '–')
        split = 'splits/train.txt' if 'all labels' in name else 'labeled.txt'
        assert cfg.train_dataloader.dataset.split_file.endswith(split)
        return
    names, ramped, mask_weight, class_weight = found
    assert attention == (f'`{names[0]}`' if names else '–')
    assert share == (('ramp' if ramped[0] else '1') if ramped else '–')
    assert weights == f'{mask_weight:g}, {class_weight:g}'
    for position, part in enumerate(leaves(cfg.train_dataloader.dataset)):
        whole = position == 1 and 'untrimmed' in name
        assert part.pipeline[0].get('trimmed', True) is not whole


def test_splits_of_the_readme_are_those_its_commands_use(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / 'tools')
    parse = runpy.run_path(str(ROOT / 'tools/make_split.py'))['parse_args']
    made = [parse(shlex.split(options)) for options in SPLITTING]
    used = set(re.findall(r'SSVAD_SPLIT=(\S+)', ' '.join(TRAINING)))
    assert used == {args.out_dir.name for args in made}
    for args in made:
        times = args.unlabeled_times and f'_{args.unlabeled_times}x'
        name = f'{args.fraction * 100:.0f}_seed{args.seed}{times or ""}'
        assert args.out_dir.name == name


@pytest.mark.parametrize('name', CONFIGS)
def test_readme_mentions_every_config(name):
    folder, _, file = name.rpartition('/')
    if name.startswith('toy_semi'):
        assert '`toy_semi_*.py`' in README
    else:
        assert f'{folder}/' in README if folder else f'configs/{file}' in README
