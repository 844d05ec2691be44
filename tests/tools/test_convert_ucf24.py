import importlib.util
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssvad.annotations import load_annotations, read_split
from ssvad.video_io import write_video
from tests.helpers import ROOT, UCF24_MINI, needs_ucf24_mini

path = ROOT / 'tools/convert_ucf24.py'
spec = importlib.util.spec_from_file_location(path.stem, path)
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)

# Videos, tubes, boxes, frames of the test split as counted in the literature.
TEST_SPLIT = """
Basketball 35/35/1323/3923, BasketballDunk 37/38/1409/2267, Biking 38/67/11911/8952,
CliffDiving 39/40/2232/3385, CricketBowling 36/38/1562/3975, Diving 45/45/5168/7908,
Fencing 34/81/9564/4511, FloorGymnastics 36/36/5519/5519, GolfSwing 39/39/4344/6481,
HorseRiding 49/51/8496/8690, IceDancing 46/107/22474/11434, LongJump 38/38/4480/4582,
PoleVault 40/43/7114/7905, RopeClimbing 34/34/5691/5693, SalsaSpin 43/210/17131/9543,
SkateBoarding 32/32/4832/4832, Skiing 40/40/8976/8977, Skijet 28/29/7319/7381,
SoccerJuggling 39/41/12271/12528, Surfing 33/52/5851/6588, TennisSwing 49/66/2876/6425,
TrampolineJumping 31/76/11713/6904, VolleyballSpiking 33/37/1131/3146,
WalkingWithDog 36/40/7193/7740
"""


def entry(boxes, sf=0, ef=None, numf=10, label=0, dtype=np.uint8):
    boxes = np.array(boxes, dtype=dtype)
    ef = sf + len(boxes) if ef is None else ef
    tube = {'label': label, 'sf': sf, 'ef': ef, 'boxes': boxes}
    return {'annotations': [tube], 'numf': np.uint8(numf), 'label': label}


def convert_one(**kwargs):
    findings = tool.Findings()
    _, videos = tool.convert({'Dive/v': entry(**kwargs)}, 'avi', findings)
    tubes = videos[0]['tubes']
    found = {kind: len(places) for kind, places in findings.items()}
    return (tubes[0] if tubes else None), found


def dump(path, data):
    path.write_bytes(pickle.dumps(data, protocol=4))
    return path


def test_box_becomes_half_open_without_wrapping():
    tube, found = convert_one(boxes=[[200, 100, 100, 60], [1, 1, 9, 9]], sf=3)
    assert tube['boxes'].tolist() == [[199, 99, 300, 160], [0, 0, 10, 10]]
    assert (tube['start'], tube['label'], found) == (3, 0, {})
    tube, found = convert_one(boxes=[[250, 180, 70, 60]])
    assert tube['boxes'].tolist() == [[249, 179, 320, 240]]
    assert not found


corner = st.integers(1, 100)
extent = st.integers(1, 140)
xywh = st.tuples(corner, corner, extent, extent)


@given(xywh, xywh)
def test_plain_iou_of_converted_boxes_is_the_inclusive_iou(a, b):
    """ACT counts the pixels x..x+w of the raw boxes, both ends included."""
    shared = 1
    areas = [1, 1]
    for axis in (0, 1):
        low = max(a[axis], b[axis])
        high = min(a[axis] + a[axis + 2], b[axis] + b[axis + 2])
        shared *= max(high - low + 1, 0)
        areas = [area * (box[axis + 2] + 1) for area, box in zip(areas, (a, b))]
    inclusive = shared / (sum(areas) - shared)

    tube, _ = convert_one(boxes=[a, b])
    (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = tube['boxes'].tolist()
    inter = max(min(ax2, bx2) - max(ax1, bx1), 0)
    inter *= max(min(ay2, by2) - max(ay1, by1), 0)
    union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - inter
    assert inter / union == inclusive


def test_length_beyond_255_does_not_wrap():
    findings = tool.Findings()
    data = entry([[5, 5, 9, 9]] * 4, sf=252, numf=0)
    data['numf'] = np.uint16(300)
    _, videos = tool.convert({'Dive/v': data}, 'mp4', findings)
    assert videos[0]['num_frames'] == 300
    assert isinstance(videos[0]['num_frames'], int)
    assert not findings
    full = entry([[5, 5, 9, 9]] * 10, sf=245, numf=255)
    _, videos = tool.convert({'Dive/v': full}, 'mp4', findings)
    assert len(videos[0]['tubes'][0]['boxes']) == 10


GOOD, OTHER, FLAT = [5, 5, 9, 9], [7, 7, 9, 9], [3, 3, 0, 9]
LENGTH = 'tubes with another number of boxes than frames'
LEAVES = 'tubes that leave the video'
NO_AREA = 'boxes without area'
CLIPPED = 'boxes clipped to the frame'


@pytest.mark.parametrize(
    'kwargs,start,first_x,found',
    [
        (dict(boxes=[GOOD] * 3, sf=2, ef=7), 2, [4, 4, 4], {LENGTH: 1}),
        (dict(boxes=[GOOD, OTHER, GOOD], ef=2), 0, [4, 6], {LENGTH: 1}),
        (dict(boxes=[GOOD, OTHER, GOOD], sf=8), 8, [4, 6], {LEAVES: 1}),
        (dict(boxes=[GOOD, OTHER, GOOD], sf=-1), 0, [6, 4], {LEAVES: 1}),
        (dict(boxes=[FLAT, GOOD, FLAT, FLAT, OTHER, FLAT], sf=1), 2, [4, 4, 4, 6],
         {NO_AREA: 4}),
        (dict(boxes=[[0, 1, 9, 9], GOOD]), 0, [0, 4], {CLIPPED: 1}),
        (dict(boxes=[GOOD, [255, 1, 90, 9]]), 0, [4, 254], {CLIPPED: 1}),
        (dict(boxes=[[400, 1, 9, 9], GOOD], dtype=np.uint16), 1, [4],
         {CLIPPED: 1, NO_AREA: 1}),
    ],
)  # fmt: skip
def test_irregular_tubes_are_resolved_and_counted(kwargs, start, first_x, found):
    tube, seen = convert_one(**kwargs)
    assert seen == found
    assert tube['start'] == start
    assert tube['boxes'][:, 0].tolist() == first_x


@pytest.mark.parametrize(
    'kwargs,found',
    [
        (dict(boxes=[FLAT, FLAT]), {NO_AREA: 2, 'tubes dropped': 1}),
        (dict(boxes=[GOOD], sf=10), {LEAVES: 1, 'tubes dropped': 1}),
        (dict(boxes=np.zeros((0, 4))), {'tubes dropped': 1}),
        (dict(boxes=[GOOD], sf=5, ef=4), {LENGTH: 1, 'tubes dropped': 1}),
    ],
)
def test_tube_with_nothing_left_is_dropped(kwargs, found):
    assert convert_one(**kwargs) == (None, found)


def test_findings_name_and_count():
    findings = tool.Findings()
    findings.add('oddities', 'a', 3)
    for index in range(6):
        findings.add('oddities', f'b{index}')
    findings.add('nothing', 'c', 0)
    assert findings.lines(3) == ['9 oddities: a x3, b0, b1, ...']


def test_label_must_be_the_rank_of_the_folder():
    good = {'Bike/v': entry([GOOD]), 'Dive/v': entry([GOOD], label=1)}
    classes, videos = tool.convert(good, 'mp4', tool.Findings())
    assert classes == ['Bike', 'Dive']
    assert [video['file'] for video in videos] == ['Bike/v.mp4', 'Dive/v.mp4']
    good['Dive/v'] = entry([GOOD], label=0)
    with pytest.raises(ValueError, match="'Dive/v': tube 0: expected label 1 .* got 0"):
        tool.convert(good, 'mp4', tool.Findings())


def test_wrong_box_shape_is_named():
    where = "video 'Dive/v': tube 0: "
    with pytest.raises(ValueError, match=where + r'expected boxes .* got \(2, 3\)'):
        convert_one(boxes=[[1, 2, 3], [1, 2, 3]])


@pytest.mark.parametrize('change, message', [
    (dict(boxes=[GOOD, [1, np.nan, 2, 2]]), r'frame 5: .* finite, got \[1.0, nan'),
    (dict(boxes=[[1, 2, 3, 'a']]), r"boxes of numbers, got \[\[1, 2, 3, 'a'\]\]"),
    (dict(boxes=[[1, 2, 3, 4], [1]]), r'boxes of numbers|boxes \(n, 4\)'),
    (dict(boxes=None), r'expected boxes \(n, 4\), got \(\)'),
    (dict(sf='4'), "'sf' must be a whole number, got '4'"),
    (dict(ef=5.5), "'ef' must be a whole number, got 5.5"),
    (dict(label=None, sf=[1, 2]), "'sf' must be a whole number"),
    (dict(label=[0]*2), r"'label' must be a whole number, got \[0, 0\]"),
])  # fmt: skip
def test_malformed_values_are_named(change, message):
    tube = {'label': 0, 'sf': 4, 'ef': 5, 'boxes': [GOOD], **change}
    data = {'Dive/v': {'annotations': [tube], 'numf': 10, 'file': 'x.pkl'}}
    where = "^x.pkl: video 'Dive/v': tube 0: .*"
    with pytest.raises(ValueError, match=where + message):
        tool.convert(data, 'avi', tool.Findings())


def test_labels_are_those_of_all_24_classes():
    data = {'Diving/v': {**entry([GOOD], label=5), 'file': 'x.pkl'}}
    classes, videos = tool.convert(data, 'avi', tool.Findings())
    assert len(classes) == 24 and classes[5] == 'Diving'
    assert videos[0]['tubes'][0]['label'] == 5
    data['Diving/v']['annotations'][0]['label'] = 0
    with pytest.raises(ValueError, match="tube 0: expected label 5 for 'Diving'"):
        tool.convert(data, 'avi', tool.Findings())


def test_length_that_nothing_tells_is_asked_for():
    data = {'Diving/v': {**entry([GOOD], label=5), 'numf': None, 'file': 'x.pkl'}}
    with pytest.raises(ValueError, match="x.pkl: video 'Diving/v': .*--video-root"):
        tool.convert(data, 'avi', tool.Findings())


def test_video_root_keeps_and_checks_what_exists(tmp_path, capsys):
    root = tmp_path / 'videos/Dive'
    frame = np.full((1, 240, 320, 3), 90, np.uint8)
    write_video(root / 'whole.mp4', frame.repeat(10, 0))
    write_video(root / 'short.mp4', frame.repeat(4, 0))
    write_video(root / 'long.mp4', frame.repeat(12, 0))
    write_video(root / 'small.mp4', frame[:, :100].repeat(10, 0))
    (root / 'unread.mp4').write_bytes(b'no video')
    names = ['whole', 'short', 'long', 'small', 'unread', 'gone']
    data = {f'Dive/{name}': entry([GOOD] * 9, sf=1) for name in names}
    dump(tmp_path / 'a.pkl', data)
    (tmp_path / 'list.txt').write_text('Dive/whole.avi 1\n\nDive/gone\nSwim/x\n')
    out = tmp_path / 'out/annotations.json'
    arguments = ['--video-root', str(tmp_path / 'videos'), '--video-ext', '.mp4']
    arguments += ['--testlist', str(tmp_path / 'list.txt'), '--out', str(out)]
    tool.main([str(tmp_path / 'a.pkl'), *arguments])
    videos = {video['id']: video for video in load_annotations(out)['videos']}
    lengths = {
        name: (video['num_frames'], len(video['tubes'][0]['boxes']))
        for name, video in videos.items()
    }
    assert lengths == {
        'Dive/whole': (10, 9),
        'Dive/short': (4, 3),
        'Dive/long': (10, 9),
        'Dive/unread': (10, 9),
    }
    assert read_split(tmp_path / 'out/splits/test.txt') == ['Dive/whole']
    assert len(read_split(tmp_path / 'out/splits/train.txt')) == 3
    report = capsys.readouterr().out
    for line in (
        '1 videos missing, dropped: gone.mp4',
        '1 videos of another size, dropped: small.mp4',
        '2 videos of another length than annotated: long.mp4, short.mp4',
        '1 unreadable videos, not checked: unread.mp4',
        '1 videos of the test list without annotation: Swim/x',
        '1 tubes that leave the video: Dive/short[0]',
    ):
        assert line in report.splitlines()


def test_nothing_left_says_where_it_looked(tmp_path):
    dump(tmp_path / 'a.pkl', {'Dive/v': entry([GOOD])})
    arguments = ['--out', str(tmp_path / 'a.json'), '--video-root', str(tmp_path)]
    with pytest.raises(SystemExit, match=r'no video left.*\.avi'):
        tool.main([str(tmp_path / 'a.pkl'), *arguments])
    assert not (tmp_path / 'a.json').exists()


@needs_ucf24_mini
@pytest.mark.parametrize('source', ['pyannot.pkl', 'finalAnnots.mat'])
def test_real_annotation_is_converted_exactly(tmp_path, capsys, source):
    out = tmp_path / 'annotations.json'
    testlist = UCF24_MINI / 'testlist01.txt'
    arguments = ['--out', str(out), '--testlist', str(testlist)]
    tool.main([str(UCF24_MINI / source), *arguments])
    assert 'nothing irregular' in capsys.readouterr().out
    data = load_annotations(out)
    videos = {video['id']: video for video in data['videos']}
    assert len(videos) == 3194
    assert sum(len(video['tubes']) for video in videos.values()) == 4458
    test = read_split(tmp_path / 'splits/test.txt')
    train = read_split(tmp_path / 'splits/train.txt')
    assert (len(test), len(train)) == (910, 2284)
    assert set(test) == set(testlist.read_text().split())
    assert not set(test) & set(train)

    rows = tool.class_table([videos[name] for name in test])
    shown = [
        f'{name} ' + '/'.join(map(str, row)) for name, row in zip(data['classes'], rows)
    ]
    assert shown == ' '.join(TEST_SPLIT.split()).split(', ')
    acting = 0
    for name in test:
        frames = set()
        for tube in videos[name]['tubes']:
            frames |= set(range(tube['start'], tube['start'] + len(tube['boxes'])))
        acting += len(frames)
    assert acting == 138_527

    first = videos['Skijet/v_Skijet_g10_c04']
    assert first['num_frames'] == 164
    assert first['file'] == 'Skijet/v_Skijet_g10_c04.avi'
    assert first['tubes'][0]['label'] == 17
    # Raw (177, 53, 48, 61) and (223, 82, 44, 57), whose x + w leaves uint8.
    boxes = first['tubes'][0]['boxes']
    assert boxes[0] == [176, 52, 225, 114]
    assert [222, 81, 267, 139] in boxes
