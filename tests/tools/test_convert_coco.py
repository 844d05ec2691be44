import copy
import json

import numpy as np
import pytest

import convert_coco as tool
from ssvad.annotations import load_annotations
from ssvad.video_io import write_video

# CocoVID's spelling; categories out of order, frames of two videos mixed
COCO = {
    'categories': [{'id': 7, 'name': 'run'}, {'id': 2, 'name': 'jump'}],
    'videos': [
        {'id': 1, 'name': 'sub/a.mp4', 'width': 64, 'height': 48, 'length': 6},
        {'id': 2, 'name': 'b.mp4', 'width': 64, 'height': 48, 'length': 4},
    ],
    'images': [
        {'id': 10 * video + frame, 'video_id': video, 'frame_id': frame}
        for frame in range(4)
        for video in (1, 2)
    ],
    'annotations': [
        {'id': i, 'image_id': 10 * video + frame, 'instance_id': track,
         'category_id': category, 'bbox': [frame + 0.5, 10, 20, 30]}
        for i, (video, frame, track, category) in enumerate([
            (1, 2, 5, 7), (1, 0, 5, 7), (1, 1, 5, 7), (1, 1, 6, 2), (2, 0, 5, 2),
            (2, 3, 5, 2),
        ])
    ],
}  # fmt: skip


@pytest.fixture
def run(tmp_path, capsys):
    def convert(data, *arguments):
        path, out = tmp_path / 'coco.json', tmp_path / 'out.json'
        path.write_text(data if isinstance(data, str) else json.dumps(data))
        out.unlink(missing_ok=True)
        tool.main([str(path), '--out', str(out), *map(str, arguments)])
        loaded = load_annotations(out)
        videos = {video['id']: video for video in loaded['videos']}
        return loaded['classes'], videos, capsys.readouterr().out

    return convert


def changed(path, value):
    """A copy of COCO with one value replaced; None removes it."""
    data = copy.deepcopy(COCO)
    *parents, key = path
    place = data
    for parent in parents:
        place = place[parent]
    if value is None:
        del place[key]
    else:
        place[key] = value
    return data


def shape(video):
    return [(t['label'], t['start'], t['boxes']) for t in video['tubes']]


def test_tracks_become_tubes(run):
    classes, videos, printed = run(COCO)
    assert classes == ['jump', 'run']
    assert list(videos) == ['sub/a', 'b']
    first = videos['sub/a']
    size = {key: first[key] for key in ('file', 'width', 'height', 'num_frames')}
    assert size == {'file': 'sub/a.mp4', 'width': 64, 'height': 48, 'num_frames': 6}
    assert shape(first) == [
        (1, 0, [[0.5, 10, 20.5, 40], [1.5, 10, 21.5, 40], [2.5, 10, 22.5, 40]]),
        (0, 1, [[1.5, 10, 21.5, 40]]),
    ]
    # a gap of two frames cuts
    rows = [[0.5, 10, 20.5, 40]], [[3.5, 10, 23.5, 40]]
    assert shape(videos['b']) == [(0, 0, rows[0]), (0, 3, rows[1])]
    assert '1 gaps at which a track is cut: b[5]' in printed
    assert 'jump                    1      2       2       4' in printed


def test_gaps_are_interpolated_on_demand(run):
    videos = run(COCO, '--max-gap', 2)[1]
    boxes = np.array(videos['b']['tubes'][0]['boxes'])
    np.testing.assert_allclose(boxes[:, 0], [0.5, 1.5, 2.5, 3.5])
    assert len(videos['b']['tubes']) == 1
    assert len(run(COCO, '--max-gap', 1)[1]['b']['tubes']) == 2


def test_the_spelling_of_tao_says_the_same(run):
    data = copy.deepcopy(COCO)
    for image in data['images']:
        image['frame_index'] = image.pop('frame_id')
    for annotation in data['annotations']:
        annotation['track_id'] = annotation.pop('instance_id')
    for video in data['videos']:
        video['file_name'] = video.pop('name')
        video['num_frames'] = video.pop('length')
        for image in data['images']:
            image.update(width=video['width'], height=video['height'])
        del video['width'], video['height']
    assert run(data) == run(COCO)


def test_frames_counted_from_one(run):
    data = copy.deepcopy(COCO)
    for image in data['images']:
        image['frame_id'] += 1
    assert run(data, '--first-frame', 1) == run(COCO)
    with pytest.raises(ValueError, match="'b': its length is 4, .* --first-frame 1"):
        run(data)
    data['videos'][1]['length'] = 5
    assert 'is 1 the first?' in run(data)[2]
    assert 'is 1 the first?' not in run(COCO)[2]
    with pytest.raises(ValueError, match=r'image 10: .* frame 0: the first frame is 1'):
        run(COCO, '--first-frame', 1)


def test_videos_without_length_or_annotation(run):
    data = changed(['videos', 0, 'length'], None)
    data['annotations'] = []
    _, videos, printed = run(data)
    assert (videos['sub/a']['num_frames'], videos['sub/a']['tubes']) == (4, [])
    assert '1 videos taken to end with their last image: sub/a' in printed
    data['images'] = []
    with pytest.raises(ValueError, match="'sub/a' has no image; .* --video-root"):
        run(data)


def test_crowds_and_boxes_outside_are_counted(run):
    data = changed(['annotations', 0, 'iscrowd'], 1)
    data['annotations'][1]['bbox'] = [60, 10, 20, 30]
    data['annotations'][2]['bbox'] = [64, 10, 20, 30]
    _, videos, printed = run(data)
    assert shape(videos['sub/a'])[0] == (1, 0, [[60, 10, 64, 40]])
    assert '1 crowd annotations, left out: sub/a' in printed
    assert '1 boxes clipped to the frame: sub/a[5]' in printed
    assert '1 boxes without area in the frame, left out: sub/a[5]' in printed


def test_videos_are_asked(run, tmp_path):
    root = tmp_path / 'videos'
    frames = np.full((5, 48, 64, 3), 90, np.uint8)
    write_video(root / 'sub/a.mp4', frames)
    write_video(root / 'b.mp4', frames[:2])
    data = changed(['videos', 0, 'length'], None)
    _, videos, printed = run(data, '--video-root', root)
    assert [video['num_frames'] for video in videos.values()] == [5, 2]
    assert '1 boxes past the end of the video, left out: b[5]' in printed
    (root / 'b.mp4').unlink()
    assert list(run(data, '--video-root', root)[1]) == ['sub/a']
    with pytest.raises(SystemExit, match='no video left; does .*nowhere hold them'):
        run(data, '--video-root', tmp_path / 'nowhere')


def test_bare_names_get_an_extension(run):
    data = changed(['videos', 0, 'name'], 'clip.1')
    videos = run(data, '--video-ext', '.avi')[1]
    assert [video['file'] for video in videos.values()] == ['clip.1.avi', 'b.mp4']
    assert list(videos) == ['clip.1', 'b']


A, TRACK = 'annotation 0', r"annotation 0: video 'sub/a': track 5: frame 2: "


@pytest.mark.parametrize('path, value, message', [
    (['images'], None, "expected an object with a list 'images', got None"),
    (['videos'], {}, "a list 'videos', got {}"),
    (['videos', 1, 'id'], 1, r"'videos' 1: expected an object with an 'id' of its own"),
    (['images', 3], 4, "'images' 3: expected an object"),
    (['annotations', 0, 'id'], None, "'annotations' 0: expected an object"),
    (['categories', 0, 'id'], 'x', 'mix numbers and texts'),
    (['categories', 0, 'name'], None, "category 7: expected one value of 'name'"),
    (['videos', 0, 'name'], 5, 'video 1: expected a file name, got 5'),
    (['videos', 0, 'name'], None, "video 1: expected one value of 'file_name' or"),
    (['videos', 0, 'width'], '64', "video 1: width and height must be a whole number"),
    (['videos', 0, 'length'], 2.5, 'video 1: its length must be a whole number'),
    (['videos', 0, 'length'], 3, r"video 1 'sub/a': its length is 3, .* frame 3"),
    (['images', 0, 'width'], 32, 'image 10: .* frame 0: width and height'),
    (['images', 0, 'video_id'], 9, "image 10: 'video_id' 9 does not exist"),
    (['images', 0, 'frame_id'], None, "image 10: expected one value of 'frame_id' or"),
    (['images', 0, 'frame_index'], 3, "image 10: expected one value of 'frame_id' or"),
    (['images', 0, 'frame_id'], 1.5, 'image 10: its frame must be a whole number, got'),
    (['images', 0, 'frame_id'], -1, r"image 10: video 'sub/a': frame -1: the first"),
    (['images', 0, 'frame_id'], 1, r"frame 1: image 10 has it already"),
    (['annotations', 0, 'image_id'], [1], rf"{A}: 'image_id' \[1\] does not exist"),
    (['annotations', 0, 'video_id'], 2, f"{A}: 'video_id' 2, but its image 12 belongs"),
    (['annotations', 0, 'instance_id'], None, f"{A}: expected one value of 'inst"),
    (['annotations', 0, 'instance_id'], [5], f'{A}: expected a number as track'),
    (['annotations', 0, 'category_id'], 3, f"{TRACK}'category_id' 3 does not exist"),
    (['annotations', 1, 'category_id'], 2, "0: 'category_id' 2, but the track began"),
    (['annotations', 1, 'image_id'], 12, 'frame 2: the track has two boxes'),
    (['annotations', 0, 'bboxes'], [], f"{A}: has 'bboxes', as YouTube-VIS"),
    (['annotations', 0, 'bbox'], [1, 2, 3], rf"{TRACK}'bbox' must be .* got \[1,"),
    (['annotations', 0, 'bbox'], [1, 2, 3, np.nan], f'{TRACK}each value .* got nan'),
    (['annotations', 0, 'bbox'], [1, 2, -3, 4], rf'{TRACK}box .* got \[1.0, 2.0, -2.0'),
])  # fmt: skip
def test_malformed_files_are_named(run, tmp_path, path, value, message):
    with pytest.raises(ValueError, match=f'coco.json: .*{message}'):
        run(changed(path, value))
    assert not (tmp_path / 'out.json').exists()


def test_missing_sizes_are_named(run):
    data = copy.deepcopy(COCO)
    del data['videos'][0]['width'], data['videos'][0]['height']
    with pytest.raises(ValueError, match="video 1 'sub/a': nothing tells its width"):
        run(data)


@pytest.mark.parametrize('text', ['', 'x', '[]', '{"videos": 3', '[' * 100_000])
def test_other_files_are_refused(run, text):
    with pytest.raises(ValueError, match='coco.json: '):
        run(text)


def test_names_that_leave_the_folder_are_refused(run):
    with pytest.raises(ValueError, match=r"'file' must be a path relative"):
        run(changed(['videos', 0, 'name'], '../a.mp4'))
