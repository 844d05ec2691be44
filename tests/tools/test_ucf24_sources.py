"""One annotation of UCF101-24, whichever file it is read from, gives the same tubes."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

import convert_ucf24 as tool
from conversion.findings import Findings
from ssvad.annotations import load_annotations, read_split
from tests.helpers import UCF24_MINI, needs_ucf24_mini
from tests.tools import foreign_formats as formats

WRITERS = {
    'pyannot.pkl': formats.write_pyannot,
    'finalAnnots.mat': formats.write_mat,
    'train.pkl': formats.write_split_pickle,
    'xml': formats.write_xml_folder,
}


def read(kind, folder, annotation):
    """What ``convert`` makes of the annotation in one format, and the findings."""
    source = WRITERS[kind](folder / kind, annotation)
    findings = Findings()
    entries = tool.read_source(source, findings)
    # nobody acts in a video without tubes, which only the XML files can tell
    findings.pop('videos in which nobody is said to act', None)
    for video, entry in entries.items():
        if kind == 'train.pkl':
            assert entry['numf'] is None
            entry['numf'] = annotation[video][0]
    videos = tool.convert(entries, 'avi', findings)[1]
    for video in videos:
        for tube in video['tubes']:
            tube['boxes'] = tube['boxes'].tolist()
    return videos, dict(findings)


coordinate = st.integers(1, 330)
box = st.tuples(coordinate, coordinate, st.integers(0, 330), st.integers(0, 330))
CLASSES = ('Basketball', 'Diving', 'WalkingWithDog')


@st.composite
def annotations(draw):
    annotation = {}
    for name in draw(st.lists(st.sampled_from(CLASSES), min_size=1, unique=True)):
        tubes = []
        for _ in range(draw(st.integers(0, 3))):
            boxes = draw(st.lists(box, min_size=1, max_size=5))
            start = draw(st.one_of(st.integers(0, 9), st.integers(250, 300)))
            tubes.append((tool.CLASSES.index(name), start, list(map(list, boxes))))
        frames = draw(st.one_of(st.integers(1, 12), st.integers(250, 310)))
        annotation[f'{name}/v_{name}_g01'] = frames, tubes
    return annotation


@settings(max_examples=60)
@given(annotations())
def test_every_format_gives_the_same_tubes(annotation):
    with tempfile.TemporaryDirectory() as folder:
        results = {kind: read(kind, Path(folder), annotation) for kind in WRITERS}
    expected = results['pyannot.pkl']
    assert {kind for kind in WRITERS if results[kind] != expected} == set()


def test_regular_boxes_are_shifted_and_nothing_else(tmp_path):
    """The formula, literally: 0-based, and the last pixel belongs to the box."""
    for kind in WRITERS:
        videos, findings = read(kind, tmp_path, formats.EXAMPLE)
        assert findings == {}
        for video in videos:
            frames, tubes = formats.EXAMPLE[video['id']]
            assert video['num_frames'] == frames
            assert [tube['start'] for tube in video['tubes']] == [t[1] for t in tubes]
            for tube, (_, _, boxes) in zip(video['tubes'], tubes):
                expected = [[x - 1, y - 1, x + w, y + h] for x, y, w, h in boxes]
                assert tube['boxes'] == expected


def run(tmp_path, *arguments):
    out = tmp_path / 'out/annotations.json'
    tool.main([*map(str, arguments), '--out', str(out)])
    return load_annotations(out)['videos']


def test_split_pickles_give_their_lists_and_need_lengths(tmp_path, capsys):
    names = list(formats.EXAMPLE)
    first, rest = (
        {n: formats.EXAMPLE[n] for n in part} for part in (names[:1], names[1:])
    )
    labeled = formats.write_split_pickle(tmp_path / 'train_20.pkl', first, 1, 4)
    unlabeled = formats.write_split_pickle(tmp_path / 'train_80.pkl', rest, np.uint8(0))
    lengths = formats.write_mat(tmp_path / 'final.mat', formats.EXAMPLE)
    with pytest.raises(ValueError, match="train_20.pkl: video 'Bask.* --lengths"):
        run(tmp_path, labeled, unlabeled)
    assert not (tmp_path / 'out').exists()
    videos = run(tmp_path, labeled, unlabeled, '--lengths', lengths)
    assert videos == run(tmp_path, lengths)
    assert read_split(tmp_path / 'out/splits/train_20.txt') == names[:1]
    assert read_split(tmp_path / 'out/splits/train_80.txt') == names[1:]
    assert f'2 videos -> {tmp_path}' in capsys.readouterr().out


def test_one_split_pickle_with_both_flags_gives_two_lists(tmp_path):
    items = formats.split_items(formats.EXAMPLE)
    names = [name for name, _ in items]
    items[1] = names[1], [[*row[:5], 0] for row in items[1][1]]
    path = tmp_path / 'train.pkl'
    path.write_bytes(formats.pickle.dumps(items))
    lengths = formats.write_pyannot(tmp_path / 'pyannot.pkl', formats.EXAMPLE)
    run(tmp_path, path, '--lengths', lengths)
    splits = tmp_path / 'out/splits'
    assert read_split(splits / 'train_labeled.txt') == names[:1]
    assert read_split(splits / 'train_unlabeled.txt') == names[1:2]
    assert read_split(splits / 'train_without_flag.txt') == names[2:]


def test_two_split_pickles_of_one_name_are_refused(tmp_path):
    paths = []
    for name, (frames, tubes) in formats.EXAMPLE.items():
        folder = tmp_path / name.split('/')[0]
        folder.mkdir()
        part = {name: (frames, tubes)}
        paths.append(formats.write_split_pickle(folder / 'train.pkl', part))
    lengths = formats.write_mat(tmp_path / 'final.mat', formats.EXAMPLE)
    with pytest.raises(ValueError, match="two split pickles are called 'train'"):
        run(tmp_path, *paths, '--lengths', lengths)


def test_a_video_in_two_sources_is_refused(tmp_path):
    one = formats.write_pyannot(tmp_path / 'one.pkl', formats.EXAMPLE)
    two = formats.write_mat(tmp_path / 'two.mat', formats.EXAMPLE)
    with pytest.raises(
        ValueError, match="'Bask.*' stands in .*one.pkl and in .*two.mat"
    ):
        run(tmp_path, one, two)


GOOD = ('Diving/v', [(0, 1, 5, [[1, 2, 3, 4]] * 2, [1], 1)])
ROW = list(GOOD[1][0])


@pytest.mark.parametrize('items, message', [
    ([('Diving/v',)], r'item 0: expected \(video, \[annotation'),
    ([GOOD, ('a', 7)], 'item 1: expected'),
    ([(7, [])], 'item 0: expected'),
    ([GOOD, GOOD], "video 'Diving/v': stands in the list twice"),
    ([('v', [ROW, ROW[:4]])], r"video 'v': tube 1: expected \(start, end, label"),
    ([('v', [[*ROW, 1]])], "video 'v': tube 0: expected"),
    ([('v', [[0, 1, 5, [], 3, 1]])], 'tube 0: expected a list of .* got 3'),
    ([('v', [[*ROW[:5], 2]])], 'tube 0: the labelled flag must be 0 or 1, got 2'),
    ([('v', [[*ROW[:5], 'no']])], "flag must be a whole number, got 'no'"),
    ([('v', [[*ROW[:5], 1], [*ROW[:5], 0]])], "video 'v': expected one labelled flag"),
    ([('v', [[0, None, *ROW[2:]]])], '0: the end must be a whole number, got None'),
])  # fmt: skip
def test_malformed_split_pickles_are_named(tmp_path, items, message):
    (tmp_path / 'a.pkl').write_bytes(formats.pickle.dumps(items))
    with pytest.raises(ValueError, match='a.pkl: .*' + message):
        tool.read_source(tmp_path / 'a.pkl', Findings())


def mat_file(path, **changes):
    """A file with one tube, some of its fields replaced."""
    tube = {'ef': 3, 'sf': 2, 'class': 6, 'boxes': np.ones((2, 4)), **changes}
    tubes = formats.mat_struct([tuple(tube.values())], list(tube))
    video = {'num_imgs': 9, 'name': 'Diving/v', 'tubes': changes.get('tubes', tubes)}
    rows = [tuple({**video, **changes}[key] for key in video)] * changes.get('times', 1)
    savemat(
        path, {changes.get('variable', 'annot'): formats.mat_struct(rows, list(video))}
    )
    return path


@pytest.mark.parametrize('changes, message', [
    (dict(variable='x'), "variable 'annot': expected a structure .* got NoneType"),
    (dict(tubes=np.zeros(3)), r"video 'Diving/v': 'tubes': expected .* got ndarray"),
    (dict(num_imgs=[9, 9]), "video 'Diving/v': 'num_imgs' must be a whole number"),
    (dict(num_imgs='9'), "'num_imgs' must be a whole number, got array"),
    (dict(sf=np.nan), "tube 0: 'sf' must be a whole number, got array"),
    (dict(ef=2.5), "tube 0: 'ef' must be a whole number"),
    (dict(name=''), 'video 0: has no name'),
    (dict(times=2), "video 'Diving/v': occurs twice"),
])  # fmt: skip
def test_malformed_mat_files_are_named(tmp_path, changes, message):
    path = mat_file(tmp_path / 'a.mat', **changes)
    with pytest.raises(ValueError, match='a.mat: .*' + message):
        tool.read_source(path, Findings())


def test_missing_tubes_of_a_mat_file_are_no_tubes(tmp_path):
    path = mat_file(tmp_path / 'a.mat', tubes=np.zeros((0, 0)))
    entries = tool.read_source(path, Findings())
    assert entries['Diving/v']['annotations'] == []


@pytest.mark.parametrize('raw, message', [
    (b'', 'holds more than'),
    (b'MATLAB 7.3 MAT-file' + b' ' * 200, r'save -v7'),
    (b'\x89HDF\r\n\x1a\n' + b' ' * 200, r'save -v7'),
    (b'a,b,c\n' * 50, 'not a MATLAB 5 file'),
])  # fmt: skip
def test_other_files_are_no_mat_files(tmp_path, raw, message):
    (tmp_path / 'a.mat').write_bytes(raw)
    with pytest.raises(ValueError, match='a.mat: .*' + message):
        tool.read_source(tmp_path / 'a.mat', Findings())


def test_damaged_and_unpacking_mat_files_are_refused(tmp_path):
    path = formats.write_mat(tmp_path / 'a.mat', formats.EXAMPLE)
    whole = path.read_bytes()
    for raw in (whole[:-40], whole[:200], whole[:300] + b'\0' * 40 + whole[340:]):
        path.write_bytes(raw)
        with pytest.raises(ValueError, match='a.mat: '):
            tool.read_source(path, Findings())
    savemat(path, {'annot': np.zeros(10**6, np.uint8)}, do_compression=True)
    assert path.stat().st_size < 2000
    with pytest.raises(ValueError, match='a.mat: holds more than 10000 bytes'):
        tool.read_mat(path, limit=10_000)


@needs_ucf24_mini
def test_real_annotation_as_split_pickle_and_xml(tmp_path):
    """The whole of it through a split pickle, one video of each class through XML."""
    source = tool.read_source(UCF24_MINI / 'finalAnnots.mat', Findings())
    annotation = {
        video: (
            entry['numf'],
            [(t['label'], t['sf'], t['boxes'].tolist()) for t in entry['annotations']],
        )
        for video, entry in source.items()
    }
    assert sum(len(tubes) for _, tubes in annotation.values()) == 4458
    expected = read('pyannot.pkl', tmp_path, annotation)
    assert expected[1] == {}
    assert read('train.pkl', tmp_path, annotation) == expected
    few = {video: annotation[video] for video in list(annotation)[::100]}
    by_id = [video for video in expected[0] if video['id'] in few]
    assert read('xml', tmp_path, few) == (by_id, {})
