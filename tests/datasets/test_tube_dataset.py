import json
import pickle

import numpy as np
import pytest
from mmaction.registry import DATASETS
from mmengine.dataset import ClassBalancedDataset, ConcatDataset
from mmengine.registry import DefaultScope

from ssvad.annotations import save_annotations
from ssvad.datasets.tube_dataset import dense_tubes

CLASSES = ['run', 'jump']


def video(name, tubes=(), num_frames=6, **kwargs):
    return dict(
        id=name,
        file=f'{name}.mp4',
        width=32,
        height=24,
        num_frames=num_frames,
        tubes=[
            dict(label=label, start=start, boxes=[[1, 2, 3.5, 4 + i] for i in range(n)])
            for label, start, n in tubes
        ],
        **kwargs,
    )


@pytest.fixture
def root(tmp_path):
    videos = [
        video('run/a', [(1, 2, 3), (0, 0, 6)]),
        video('b', [(0, 5, 1)]),
        video('c'),
        video('d', [(1, 0, 2)]),
    ]
    save_annotations(tmp_path / 'annotations.json', CLASSES, videos)
    for item in videos:
        path = tmp_path / 'videos' / item['file']
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / 'two.txt').write_text('# mine\nd\nrun/a\n')
    return tmp_path


def build(root, **kwargs):
    defaults = dict(
        type='TubeDataset',
        data_root=str(root),
        ann_file='annotations.json',
        data_prefix=dict(video='videos'),
        pipeline=[],
    )
    with DefaultScope.overwrite_default_scope('mmaction'):
        return DATASETS.build({**defaults, **kwargs})


def ids(dataset):
    return [dataset.get_data_info(i)['video_id'] for i in range(len(dataset))]


def test_keys_of_a_video(root):
    dataset = build(root)
    assert dataset.metainfo['classes'] == ('run', 'jump')
    info = dataset[0]
    assert info['video_id'] == 'run/a'
    assert info['filename'] == str(root / 'videos' / 'run/a.mp4')
    assert (info['total_frames'], info['height'], info['width']) == (6, 24, 32)
    assert info['label'] == 1 and type(info['label']) is int
    assert info['modality'] == 'RGB'
    assert info['tube_labels'].tolist() == [1, 0]
    assert info['tube_labels'].dtype == np.int64
    tubes = info['gt_tubes']
    assert tubes.shape == (2, 6, 4) and tubes.dtype == np.float32
    present = np.isfinite(tubes).all(-1)
    assert np.array_equal(present, ~np.isnan(tubes).any(-1))
    assert present.tolist() == [[False, False, True, True, True, False], [True] * 6]
    assert tubes[0, 3].tolist() == [1, 2, 3.5, 5]
    assert 'tubes' not in info


def test_video_without_tubes_has_no_label(root):
    info = build(root)[2]
    assert 'label' not in info
    assert info['gt_tubes'].shape == (0, 6, 4) and info['tube_labels'].shape == (0,)


def test_stored_boxes_are_not_dense(root):
    long = [video('long', [(0, 5, 1)], num_frames=100_000)]
    save_annotations(root / 'long.json', CLASSES, long)
    (root / 'videos/long.mp4').touch()
    dataset = build(root, ann_file='long.json')
    assert dataset.data_bytes.nbytes < 2000
    assert dataset[0]['gt_tubes'].shape == (1, 100_000, 4)


def test_what_the_pipeline_does_to_a_sample_stays_there(root):
    for serialize in (True, False):
        dataset = build(root, serialize_data=serialize)
        dataset[0]['gt_tubes'][:] = -1
        dataset[0]['tube_labels'][:] = -1
        assert dataset[0]['gt_tubes'][1].min() == 1
        assert dataset[0]['tube_labels'].tolist() == [1, 0]


def with_masks(root, names, missing=()):
    """An annotation file whose videos of ``names`` have mask files."""
    videos = [video('run/a', [(1, 2, 3)]), video('b', [(0, 5, 1)]), video('c')]
    for item in videos:
        if item['id'] in names:
            item['masks'] = f'{item["id"]}.npz'
            path = root / 'masks' / item['masks']
            path.parent.mkdir(parents=True, exist_ok=True)
            if item['id'] not in missing:
                path.touch()
    save_annotations(root / 'masks.json', CLASSES, videos)
    prefix = dict(video='videos', mask='masks')
    return dict(ann_file='masks.json', data_prefix=prefix)


def test_mask_files_are_passed_on_if_their_folder_is_given(root):
    dataset = build(root, **with_masks(root, ['run/a', 'c']))
    files = [dataset[index].get('mask_file') for index in range(3)]
    folder = root / 'masks'
    assert files == [str(folder / 'run/a.npz'), None, str(folder / 'c.npz')]
    boxes = build(root, ann_file='masks.json')
    assert all('mask_file' not in boxes[index] for index in range(3))


def test_missing_mask_files_are_listed_at_once(root):
    cfg = with_masks(root, ['run/a', 'b', 'c'], missing=['b', 'c'])
    message = r"2 of 3 masks of .*masks\.json.*b\.npz.*is data_prefix=dict\(mask='"
    with pytest.raises(FileNotFoundError, match=message):
        build(root, **cfg)
    (root / 'one.txt').write_text('run/a')
    assert len(build(root, **cfg, split_file='one.txt')) == 1


def test_boxes_are_not_taken_for_the_masks_that_were_asked_for(root):
    cfg = with_masks(root, [])
    with pytest.raises(ValueError, match=r"masks\.json: .*but no video has 'masks'"):
        build(root, **cfg)
    (root / 'c.txt').write_text('c')
    assert 'mask_file' not in build(root, **cfg, split_file='c.txt')[0]


def test_split_keeps_its_own_order(root):
    assert ids(build(root, split_file='two.txt')) == ['d', 'run/a']
    absolute = str(root / 'two.txt')
    assert ids(build(root, split_file=absolute)) == ['d', 'run/a']


def test_base_dataset_arguments(root):
    assert ids(build(root, indices=2)) == ['run/a', 'b']
    assert ids(build(root, indices=[3, 0])) == ['d', 'run/a']
    assert ids(build(root).get_subset([1])) == ['b']
    assert ids(build(root, filter_cfg=dict(filter_empty_gt=True))) == [
        'run/a',
        'b',
        'd',
    ]
    lazy = build(root, lazy_init=True)
    assert 'classes' not in lazy.metainfo
    lazy.full_init()
    assert len(lazy) == 4 and lazy.metainfo['classes'] == ('run', 'jump')
    assert build(root, metainfo=dict(note='x')).metainfo['note'] == 'x'
    assert len(pickle.loads(pickle.dumps(build(root)))) == 4


def test_wrappers_of_mmengine(root):
    both = ConcatDataset([build(root), build(root, split_file='two.txt')])
    assert both[5]['video_id'] == 'run/a'
    balanced = ClassBalancedDataset(
        build(root, filter_cfg=dict(filter_empty_gt=True)), oversample_thr=0.9
    )
    assert len(balanced) > 3


def test_classes_of_all_parts_must_agree(root):
    save_annotations(root / 'other.json', ['run', 'walk'], [video('b')])
    with pytest.raises(ValueError, match='does not match'):
        ConcatDataset([build(root), build(root, ann_file='other.json')])


def test_pipeline_is_run(root):
    sample = dict(type='SampleWholeVideo', clip_len=2, frame_interval=1)
    assert build(root, pipeline=[sample])[0]['num_clips'] == 3


def test_split_errors(root):
    unknown = ['x1', 'x2', 'x3', 'x4', 'x5', 'x6', 'b']
    (root / 'bad.txt').write_text('\n'.join(unknown))
    with pytest.raises(ValueError, match=r"bad.txt: 6 of 7 ids.*'x5' and 1 more"):
        build(root, split_file='bad.txt')
    (root / 'bad.txt').write_text('b\nb\n')
    with pytest.raises(ValueError, match=r"bad.txt.*'b'"):
        build(root, split_file='bad.txt')
    (root / 'bad.txt').write_text('# nothing\n')
    with pytest.raises(ValueError, match='bad.txt'):
        build(root, split_file='bad.txt')
    with pytest.raises(FileNotFoundError, match='none.txt'):
        build(root, split_file='none.txt')


def test_missing_files_are_listed_at_once(root):
    with pytest.raises(FileNotFoundError) as error:
        build(root, data_prefix=dict(video='elsewhere'))
    assert '4 of 4 videos' in str(error.value) and 'elsewhere/b.mp4' in str(error.value)
    (root / 'videos/c.mp4').unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 4 videos.*c\.mp4'; is"):
        build(root)
    assert len(build(root, split_file='two.txt')) == 2


def test_other_errors(root):
    with pytest.raises(ValueError, match="dict\\(video='folder"):
        build(root, data_prefix=dict(img='x'))
    with pytest.raises(ValueError, match="mask='folder of the masks'"):
        build(root, data_prefix=dict(mask='x'))
    with pytest.raises(ValueError, match="got \\['min_size'\\]"):
        build(root, filter_cfg=dict(min_size=3))
    save_annotations(root / 'none.json', CLASSES, [])
    with pytest.raises(ValueError, match=r'none.json: no videos'):
        build(root, ann_file='none.json')
    (root / 'c.txt').write_text('c')
    with pytest.raises(ValueError, match='c.txt: none of the 1 videos has a tube'):
        build(root, split_file='c.txt', filter_cfg=dict(filter_empty_gt=True))
    (root / 'foreign.json').write_text(json.dumps(dict(data_list=[])))
    with pytest.raises(ValueError, match='foreign.json'):
        build(root, ann_file='foreign.json')


def test_dense_tubes():
    tubes = dense_tubes([dict(start=1, boxes=np.ones((2, 4)))], 4)
    assert np.isnan(tubes[0]).all(-1).tolist() == [True, False, False, True]
