import numpy as np
import pytest

import convert_cvat as tool
from ssvad.annotations import load_annotations
from ssvad.video_io import write_video

# after the description of the format "CVAT for video 1.1" in CVAT's documentation
XML = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>5</id><name>monday</name><size>8</size><mode>interpolation</mode>
      <start_frame>0</start_frame><stop_frame>7</stop_frame><frame_filter/>
      <labels>
        <label><name>run</name><type>any</type><attributes/></label>
        <label><name>jump</name><attributes><attribute><name>fast</name></attribute>
        </attributes></label>
      </labels>
      <segments><segment><id>5</id><start>0</start><stop>7</stop></segment></segments>
      <original_size><width>64</width><height>48</height></original_size>
    </task>
    <dumped>2018-09-25 16:05:07.134046+03:00</dumped>
    <source>clip.mp4</source>
  </meta>
  <track id="0" label="jump" source="manual">
{jump}
  </track>
  <track id="1" label="run" source="manual">
{run}
  </track>
</annotations>
"""
BOX = (
    '<box frame="{}" outside="{}" occluded="0" keyframe="1" xtl="{}" ytl="10.25" '
    'xbr="30.00" ybr="40.00" z_order="0"><attribute name="fast">true</attribute></box>'
)


def track(*rows):
    """Rows (frame, outside, left edge)."""
    return '\n'.join(BOX.format(*row) for row in rows)


def export(jump=((0, 0, 1), (1, 0, 2), (2, 1, 3)), run=((7, 0, '4.50'),)):
    return XML.format(jump=track(*jump), run=track(*run))


@pytest.fixture
def run(tmp_path, capsys):
    def convert(*texts, options=()):
        paths, out = [], tmp_path / 'out.json'
        for index, text in enumerate(texts):
            paths.append(tmp_path / f'{index}.xml')
            paths[-1].write_text(text)
        tool.main([*map(str, paths), '--out', str(out), *map(str, options)])
        data = load_annotations(out)
        return data['classes'], data['videos'], capsys.readouterr().out

    return convert


def shape(video):
    return [
        (t['label'], t['start'], [box[0] for box in t['boxes']]) for t in video['tubes']
    ]


def test_tracks_become_tubes(run):
    classes, (video,), printed = run(export())
    assert classes == ['run', 'jump']
    assert {**video, 'tubes': None} == {
        'id': 'clip', 'file': 'clip.mp4', 'width': 64, 'height': 48, 'num_frames': 8,
        'tubes': None,
    }  # fmt: skip
    assert shape(video) == [(1, 0, [1, 2]), (0, 7, [4.5])]
    assert video['tubes'][0]['boxes'][0] == [1, 10.25, 30, 40]
    assert 'nothing irregular' in printed


def test_outside_cuts_and_the_track_may_come_back(run):
    rows = (0, 0, 1), (1, 1, 0), (5, 0, 2), (6, 0, 3), (7, 1, 0)
    video = run(export(rows))[1][0]
    assert shape(video)[:2] == [(1, 0, [1]), (1, 5, [2, 3])]
    # not even then are frames invented that were said to be empty
    assert run(export(rows), options=['--max-gap', 9])[1] == [video]


def test_frames_that_are_not_listed_are_refused_or_interpolated(run):
    rows = (0, 0, 1), (2, 0, 3), (5, 0, 9), (7, 1, 0)
    message = r"video 'clip': track 0: frames 3 to 4 are not listed; --max-gap 2"
    with pytest.raises(ValueError, match=f'0.xml: {message}'):
        run(export(rows), options=['--max-gap', 1])
    _, (video,), printed = run(export(rows), options=['--max-gap', 2])
    assert shape(video)[0] == (1, 0, [1, 2, 3, 5, 7, 9, 9])
    assert '4 boxes interpolated: clip[0] x4' in printed


def test_every_second_frame_of_the_video(run):
    """CVAT counts the frames of the video, not those that the task took."""
    text = export(((2, 0, 1), (4, 0, 3), (6, 0, 5)), ((6, 0, 1),))
    text = text.replace('<size>8', '<size>3').replace('<frame_filter/>', 'step=2')
    text = text.replace('<stop_frame>7', '<stop_frame>6')
    _, (video,), _ = run(text, options=['--max-gap', 1])
    assert video['num_frames'] == 7
    assert shape(video)[0] == (1, 2, [1, 2, 3, 4, 5])
    old = export().replace('<stop_frame>7</stop_frame>', '')
    assert run(old)[1][0]['num_frames'] == 8


def test_several_exports_and_chosen_classes(run):
    other = export().replace('clip.mp4', 'C:\\data\\b.mov').replace('"run"', '"hop"')
    other = other.replace('<name>run</name>', '<name>hop</name>')
    classes, videos, _ = run(export(), other)
    assert classes == ['run', 'jump', 'hop']
    assert [video['file'] for video in videos] == ['clip.mp4', 'b.mov']
    assert [tube['label'] for tube in videos[1]['tubes']] == [1, 2]
    names = ['--classes', 'hop', 'jump', 'run']
    assert run(export(), other, options=names)[1][1]['tubes'][0]['label'] == 1
    message = (
        r"1.xml: video 'b': track 1: expected one of .*\['jump', 'run'\], got 'hop'"
    )
    with pytest.raises(ValueError, match=message):
        run(export(), other, options=['--classes', 'jump', 'run'])
    with pytest.raises(ValueError, match=r"1.xml: video 'clip' stands in .*0.xml too"):
        run(export(), export())


def test_source_may_stand_elsewhere_or_be_missing(run):
    source = '<source>clip.mp4</source>'
    new = export().replace(source, '').replace('</task>', source + '</task>')
    assert run(new) == run(export())
    _, (video,), printed = run(export().replace(source, ''))
    assert video['file'] == 'monday'
    assert '1 files without <source>, named after their task: 0.xml' in printed
    job = export().replace('task>', 'job>')
    assert run(job)[1] == run(export())[1]


def test_videos_without_tracks_and_boxes_outside(run):
    text = export(run=((7, 0, '29'), (6, 0, -3), (5, 0, '30.00')))
    _, (video,), printed = run(text)
    assert shape(video)[1] == (0, 6, [0, 29])
    assert '1 boxes clipped to the frame: clip[1]' in printed
    assert '1 boxes without area in the frame, left out: clip[1]' in printed
    head = export().partition('<track')[0]
    assert run(head + '</annotations>')[1][0]['tubes'] == []


def test_videos_are_asked(run, tmp_path):
    frames = np.full((5, 48, 64, 3), 90, np.uint8)
    write_video(tmp_path / 'videos/clip.mp4', frames)
    options = ['--video-root', tmp_path / 'videos']
    _, (video,), printed = run(export(), options=options)
    assert (video['num_frames'], shape(video)) == (5, [(1, 0, [1, 2])])
    assert '1 boxes past the end of the video, left out: clip[1]' in printed
    with pytest.raises(SystemExit, match='no video left'):
        run(export(), options=['--video-root', tmp_path])


@pytest.mark.parametrize('old, new, message', [
    ('frame="1"', 'frame="one"', "track 0: expected a number as 'frame', got 'one'"),
    ('frame="1"', 'frame="0"', 'track 0: frame 0: is listed twice'),
    ('frame="7"', 'frame="8"', 'track 1: frame 8: the video has 8 frames'),
    ('outside="1"', 'outside="yes"', "frame 2: 'outside' must be 0 or 1, got 'yes'"),
    ('xtl="4.50"', 'xtl="x"', "1: frame 7: 'xtl' must be a finite number, got 'x'"),
    ('xtl="4.50"', 'xtl="nan"', "frame 7: 'xtl' must be a finite number, got 'nan'"),
    (' xtl="4.50"', '', "frame 7: 'xtl' must be a finite number, got None"),
    ('xtl="4.50"', 'xtl="99"', r'frame 7: box .* got \[99.0, 10.25, 30.0, 40.0\]'),
    ('z_order="0"', 'rotation="30.00"', 'only upright boxes are read, got <box>'),
    ('z_order="0"', 'rotation="a"', "'rotation' must be a finite number, got 'a'"),
    ('box', 'polygon', 'track 0: frame 0: only upright boxes are read, got <polygon>'),
    ('track id="1"', 'track id="0"', "track 0: the id occurs twice"),
    ('label="run"', 'label="fly"', r"track 1: expected one of .* got 'fly'"),
    ('<name>run</name>', '<name/>', 'a label: is missing or empty'),
    ('<width>64</width>', '', 'original_size/width: is missing or empty'),
    ('<width>64', '<width>6.5', 'original_size/width must be a whole number, got 6.5'),
    ('<size>8', '<size>many', "size must be a finite number, got 'many'"),
    ('<source>clip.mp4', '<source>', '<source>: is missing or empty'),
    ('task>', 'project>', 'expected an export "CVAT for video 1.1" of one task'),
    ('<track id="0"', '<image/><track id="0"', r"got <annotations> with \['image',"),
    ('annotations>', 'viper>', 'expected an export .* got <viper>'),
    ('</track>', '', 'not well-formed XML: mismatched tag: line '),
])  # fmt: skip
def test_malformed_exports_are_named(run, tmp_path, old, new, message):
    with pytest.raises(ValueError, match=f'0.xml: .*{message}'):
        run(export().replace(old, new))
    assert not (tmp_path / 'out.json').exists()


def test_untrusted_files(run):
    laughs = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><annotations>'
    with pytest.raises(ValueError, match='0.xml: it has a DOCTYPE'):
        run(export().replace('<annotations>', laughs))
    with pytest.raises(ValueError, match='0.xml: 0.0 MB, expected at most 0.001 MB'):
        run(export(), options=['--max-megabytes', '0.001'])
    with pytest.raises(ValueError, match='0.xml: an archive; unpack annotations.xml'):
        run('PK\3\4')
