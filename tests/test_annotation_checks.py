import copy
import json

import pytest

from ssvad.annotations import load_annotations, save_annotations

WIDTH, HEIGHT, FRAMES = 64, 48, 12


def video(video_id='Dive/v_1'):
    boxes = [[1, 2, 11, 12.5], [2, 3, 12, 13], [3, 4, 13, 14]]
    return {
        'id': video_id,
        'file': f'{video_id}.mp4',
        'width': WIDTH,
        'height': HEIGHT,
        'num_frames': FRAMES,
        'tubes': [
            {'label': 1, 'start': 4, 'boxes': copy.deepcopy(boxes)} for _ in range(2)
        ],
    }


def write_raw(path, videos, classes=('Bike', 'Dive')):
    data = {'format': 'ssvad-tubes-1', 'classes': list(classes), 'videos': videos}
    path.write_text(json.dumps(data))
    return path


BAD_VIDEO = {
    'id missing': (lambda v: v.pop('id'), ["'id'", 'None']),
    'id number': (lambda v: v.update(id=3), ["'id'", '3']),
    'id empty': (lambda v: v.update(id=''), ["'id'"]),
    'id of two lines': (lambda v: v.update(id='a\nb'), ["'id'", r'a\nb']),
    'id like a comment': (lambda v: v.update(id='#a'), ["'id'", '#a']),
    'id with space': (lambda v: v.update(id='a '), ["'id'", "'a '"]),
    'file missing': (lambda v: v.pop('file'), ["'file'", 'Dive/v_1']),
    'file absolute': (lambda v: v.update(file='/a.mp4'), ["'file'", '/a.mp4']),
    'file drive': (lambda v: v.update(file='C:/a.mp4'), ["'file'", 'C:/a.mp4']),
    'file odd drive': (lambda v: v.update(file='::'), ["'file'", '::']),
    'file share': (lambda v: v.update(file='\\\\h\\a'), ["'file'"]),
    'file above': (lambda v: v.update(file='a/../../b'), ["'file'", 'a/../../b']),
    'file above, \\': (lambda v: v.update(file='..\\b'), ["'file'"]),
    'file empty': (lambda v: v.update(file=''), ["'file'"]),
    'file with NUL': (lambda v: v.update(file='a\0'), ["'file'"]),
    'masks null': (lambda v: v.update(masks=None), ["'masks'", 'None']),
    'masks absolute': (lambda v: v.update(masks='/a.npz'), ["'masks'", '/a.npz']),
    'masks above': (
        lambda v: v.update(masks='a/../../b'),
        ["'masks'", 'relative to the folder of the masks', 'a/../../b'],
    ),
    'width zero': (lambda v: v.update(width=0), ["'width'", '0', 'Dive/v_1']),
    'height text': (lambda v: v.update(height='48'), ["'height'", "'48'"]),
    'frames float': (lambda v: v.update(num_frames=12.0), ["'num_frames'", '12.0']),
    'frames bool': (lambda v: v.update(num_frames=True), ["'num_frames'", 'True']),
    'tubes missing': (lambda v: v.pop('tubes'), ["'tubes'", 'None']),
    'tubes null': (lambda v: v.update(tubes=None), ["'tubes'", 'None']),
}
BAD_TUBE = {
    'not an object': (lambda v: v['tubes'].insert(1, 7), ['7']),
    'label high': (lambda t: t.update(label=2), ["'label'", '0..1', '2']),
    'label negative': (lambda t: t.update(label=-1), ["'label'", '-1']),
    'label bool': (lambda t: t.update(label=True), ["'label'", 'True']),
    'label name': (lambda t: t.update(label='Dive'), ["'label'", "'Dive'"]),
    'start negative': (lambda t: t.update(start=-1), ["'start'", '-1']),
    'start missing': (lambda t: t.pop('start'), ["'start'", 'None']),
    'too long': (lambda t: t.update(start=10), ['10..12', '12']),
    'boxes missing': (lambda t: t.pop('boxes'), ["'boxes'", 'None']),
    'boxes empty': (lambda t: t.update(boxes=[]), ["'boxes'", '[]']),
}
BAD_BOX = {
    'three numbers': ([1, 2, 3], 'four numbers'),
    'text': ([1, 2, 'x', 4], 'four numbers'),
    'bool': ([True, 2, 3, 4], 'four numbers'),
    'null': ([1, 2, None, 4], 'four numbers'),
    'not a list': (5, 'four numbers'),
    'not a number': ([1, 2, float('nan'), 4], 'finite'),
    'infinite': ([1, 2, float('inf'), 4], 'finite'),
    'no width': ([5, 2, 5, 4], 'x1 < x2'),
    'turned over': ([1, 9, 5, 4], 'y1 < y2'),
    'left of frame': ([-0.5, 2, 3, 4], 'within the frame of 64 x 48'),
    'below frame': ([1, 2, 3, 48.5], 'within the frame of 64 x 48'),
    'right of frame': ([1, 2, 65, 48], 'within the frame of 64 x 48'),
}


def assert_refused(path, videos, parts):
    """Both directions refuse, naming file and all ``parts``; saving writes nothing."""
    write_raw(path, videos)
    before = path.read_bytes()
    for call in (
        lambda: load_annotations(path),
        lambda: save_annotations(path, ['Bike', 'Dive'], videos),
    ):
        with pytest.raises(ValueError) as caught:
            call()
        for part in [str(path), *parts]:
            assert part in str(caught.value)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize('name', BAD_VIDEO)
def test_bad_video_field_is_named(tmp_path, name):
    spoil, parts = BAD_VIDEO[name]
    videos = [video('first'), video()]
    spoil(videos[1])
    assert_refused(tmp_path / 'a.json', videos, ['video 1', *parts])


@pytest.mark.parametrize('name', BAD_TUBE)
def test_bad_tube_field_is_named(tmp_path, name):
    spoil, parts = BAD_TUBE[name]
    videos = [video('first'), video()]
    spoil(videos[1] if name == 'not an object' else videos[1]['tubes'][1])
    where = ["video 1 'Dive/v_1'", 'tube 1', *parts]
    assert_refused(tmp_path / 'a.json', videos, where)


@pytest.mark.parametrize('name', BAD_BOX)
def test_bad_box_is_named(tmp_path, name):
    box, rule = BAD_BOX[name]
    videos = [video('first'), video()]
    videos[1]['tubes'][1]['boxes'][1] = box
    where = ["video 1 'Dive/v_1'", 'tube 1', 'frame 5', rule]
    assert_refused(tmp_path / 'a.json', videos, where)


def test_box_too_large_for_a_float(tmp_path):
    videos = [video()]
    videos[0]['tubes'][0]['boxes'][0] = [0, 0, 10**400, 5]
    assert_refused(tmp_path / 'a.json', videos, ['tube 0', 'too large'])


def test_box_may_touch_the_border_and_tube_the_last_frame(tmp_path):
    good = video()
    tube = good['tubes'][0]
    tube.update(start=FRAMES - 1, boxes=[[0, 0, WIDTH, HEIGHT]])
    save_annotations(tmp_path / 'a.json', ['Bike', 'Dive'], [good])
    assert load_annotations(tmp_path / 'a.json')['videos'] == [good]


def test_duplicate_id(tmp_path):
    videos = [video('a'), video('b'), video('a')]
    assert_refused(tmp_path / 'a.json', videos, ['video 2', "'a'", 'twice'])


@pytest.mark.parametrize('classes', [[], ['a', 'a'], ['a', ''], ['a', 3], 'ab', None])
def test_bad_classes(tmp_path, classes):
    path = tmp_path / 'a.json'
    data = {'format': 'ssvad-tubes-1', 'classes': classes, 'videos': []}
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match="a.json: .*'classes'"):
        load_annotations(path)
