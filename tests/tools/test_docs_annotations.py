"""docs/annotations.md: its commands run, its example and its schema hold."""

import copy
import json
import re
import shlex
import subprocess

import numpy as np
import pytest

from ssvad.annotations import load_annotations, read_split
from ssvad.video_io import write_video
from tests.helpers import ROOT
from tests.tools import foreign_formats as formats
from tests.tools.test_convert_coco import COCO
from tests.tools.test_convert_cvat import export

PAGE = (ROOT / 'docs/annotations.md').read_text('utf-8')
SCHEMA = json.loads((ROOT / 'docs/annotations.schema.json').read_text('utf-8'))


def blocks(language):
    return re.findall(rf'```{language}\n(.*?)```', PAGE, re.DOTALL)


EXAMPLE = json.loads(blocks('json')[0])
COMMANDS = [
    line
    for block in blocks('bash')
    for line in block.replace('\\\n', ' ').splitlines()
    if line.strip()
]


@pytest.fixture
def workplace(tmp_path):
    """A folder that holds the files the page speaks of, small ones."""
    videos = {}
    for index in range(20):
        boxes = [[index + 1, 2, 30, 40]] * 4
        videos[f'Basketball/v_Basketball_g{index:02}_c01'] = 9, [(0, 2, boxes)]
    names = list(videos)
    train = {name: videos[name] for name in names[5:]}
    formats.write_pyannot(tmp_path / 'pyannot.pkl', videos)
    formats.write_mat(tmp_path / 'finalAnnots.mat', videos)
    formats.write_xml_folder(tmp_path / 'UCF101_24_Annotations', videos)
    for name, part, flag in (
        ('train_annots_20_labeled', names[5:8], 1),
        ('train_annots_80_unlabeled', names[8:], 0),
    ):
        part = {name: train[name] for name in part}
        formats.write_split_pickle(tmp_path / f'{name}.pkl', part, flag)
    (tmp_path / 'testlist01.txt').write_text('\n'.join(names[:5]))
    (tmp_path / 'instances.json').write_text(json.dumps(COCO))
    for name in ('monday', 'tuesday'):
        text = export().replace('clip.mp4', f'{name}.mp4')
        (tmp_path / f'{name}.xml').write_text(text)
        frames = np.full((8, 48, 64, 3), 90, np.uint8)
        write_video(tmp_path / f'data/mine/videos/{name}.mp4', frames)
    (tmp_path / 'data_lists').symlink_to(ROOT / 'data_lists')
    return tmp_path


def test_every_command_of_the_page_runs(workplace, tool, capsys):
    written = {}
    assert len(COMMANDS) >= 9
    for command in COMMANDS:
        words = shlex.split(command)
        if words[:1] == ['python']:
            folder, _, name = words[1].partition('/')
            assert folder == 'tools'
            tool(name, *words[2:])
        else:
            subprocess.run(command, shell=True, check=True, cwd=workplace)
        if '--out' in words:
            path = workplace / words[words.index('--out') + 1]
            written.setdefault(str(path), []).append(path.read_bytes())
            load_annotations(path)
    assert 'boxes interpolated' in capsys.readouterr().out
    first, second = written[str(workplace / 'data/ucf24/annotations.json')]
    assert first == second
    released = workplace / 'data/ucf24_released/splits'
    assert len(read_split(released / 'train_annots_20_labeled.txt')) == 3
    assert len(read_split(released / 'train_annots_80_unlabeled.txt')) == 12
    for block in blocks('python'):
        exec(block, {})
    assert 'sub/a jump 1 1\n' in capsys.readouterr().out
    # the committed lists come last and take the place of those made before
    assert len(read_split(workplace / 'data/ucf24/splits/20_seed47/labeled.txt')) == 445
    for path in workplace.rglob('annotations.json'):
        assert errors(json.loads(path.read_text())) == []


def test_example_is_an_annotation(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text(blocks('json')[0])
    assert load_annotations(path)['videos'][0]['tubes'][0]['label'] == 1


@pytest.mark.parametrize('link', re.findall(r'\]\((?!http)([^)]+)\)', PAGE))
def test_links_lead_somewhere(link):
    assert (ROOT / 'docs' / link).exists()


def test_named_files_exist():
    names = set(re.findall(r'\b(?:tools|data_lists)/[\w/]+(?:\.py)?', PAGE))
    assert {'tools/make_split.py', 'tools/convert_jhmdb21.py'} <= names
    assert [name for name in sorted(names) if not (ROOT / name).exists()] == []


RULES = {
    'const': lambda value, rule: value == rule,
    'required': lambda value, rule: set(rule) <= value.keys(),
    'minItems': lambda value, rule: len(value) >= rule,
    'maxItems': lambda value, rule: len(value) <= rule,
    'uniqueItems': lambda value, rule: len(set(map(str, value))) == len(value),
    'minimum': lambda value, rule: value >= rule,
    'pattern': lambda value, rule: re.search(rule, value),
}
TYPES = {'object': dict, 'array': list, 'string': str, 'integer': int}


def errors(value, schema=SCHEMA, where=''):
    """What breaks the schema; knows the keywords that the schema uses, no others."""
    found = []
    for key, rule in schema.items():
        if key in ('$schema', '$defs', 'title', 'description'):
            continue
        if key == '$ref':
            found += errors(value, SCHEMA['$defs'][rule.rpartition('/')[2]], where)
        elif key == 'type':
            kind = TYPES.get(rule, (int, float))
            if not isinstance(value, kind) or isinstance(value, bool):
                return [f'{where}: type']
        elif key == 'properties':
            for name in rule.keys() & value.keys():
                found += errors(value[name], rule[name], f'{where}/{name}')
        elif key == 'items':
            for index, item in enumerate(value):
                found += errors(item, rule, f'{where}/{index}')
        elif not RULES[key](value, rule):
            found.append(f'{where}: {key}')
    return found


VIDEO = ['videos', 0]
TUBE = [*VIDEO, 'tubes', 0]


@pytest.mark.parametrize('path, value, expected', [
    (['format'], 'coco', '/format: const'),
    (['classes'], [], '/classes: minItems'),
    (['classes'], ['a', 'a'], '/classes: uniqueItems'),
    (['classes'], [' '], '/classes/0: pattern'),
    (['videos'], {}, '/videos: type'),
    ([*VIDEO, 'id'], '# a', '/videos/0/id: pattern'),
    ([*VIDEO, 'id'], 'a ', '/videos/0/id: pattern'),
    ([*VIDEO, 'id'], None, '/videos/0/id: type'),
    ([*VIDEO, 'file'], '/a.mp4', '/videos/0/file: pattern'),
    ([*VIDEO, 'file'], 'a/../../b.mp4', '/videos/0/file: pattern'),
    ([*VIDEO, 'file'], 'a\\b.mp4', '/videos/0/file: pattern'),
    ([*VIDEO, 'file'], 'C:/b.mp4', '/videos/0/file: pattern'),
    ([*VIDEO, 'masks'], '../m.npz', '/videos/0/masks: pattern'),
    ([*VIDEO, 'width'], 0, '/videos/0/width: minimum'),
    ([*VIDEO, 'num_frames'], 2.5, '/videos/0/num_frames: type'),
    ([*TUBE, 'label'], -1, '/videos/0/tubes/0/label: minimum'),
    ([*TUBE, 'label'], True, '/videos/0/tubes/0/label: type'),
    ([*TUBE, 'boxes'], [], '/videos/0/tubes/0/boxes: minItems'),
    ([*TUBE, 'boxes'], [[1, 2, 3]], '/videos/0/tubes/0/boxes/0: minItems'),
    ([*TUBE, 'boxes'], [[1, 2, 3, '4']], '/videos/0/tubes/0/boxes/0/3: type'),
    ([*TUBE, 'boxes'], [[-1, 2, 3, 4]], '/videos/0/tubes/0/boxes/0/0: minimum'),
])  # fmt: skip
def test_schema_refuses_what_the_reader_refuses(tmp_path, path, value, expected):
    data = copy.deepcopy(EXAMPLE)
    assert errors(data) == []
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert errors(data) == [expected]
    (tmp_path / 'a.json').write_text(json.dumps(data))
    with pytest.raises(ValueError):
        load_annotations(tmp_path / 'a.json')


@pytest.mark.parametrize('path, key', [([], 'classes'), (VIDEO, 'id'), (TUBE, 'start')])
def test_schema_and_reader_miss_the_same_keys(tmp_path, path, key):
    data = copy.deepcopy(EXAMPLE)
    place = data
    for step in path:
        place = place[step]
    del place[key]
    assert [error.rpartition(': ')[2] for error in errors(data)] == ['required']
    (tmp_path / 'a.json').write_text(json.dumps(data))
    with pytest.raises(ValueError):
        load_annotations(tmp_path / 'a.json')
