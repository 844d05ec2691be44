"""Which checkpoint is gone on from, and what is said about the others."""

import os
import shutil

import pytest
import torch

from ssvad.engine.checkpoint_files import (
    CheckpointError,
    Position,
    find_resumable,
    read_position,
)


def write(path, epoch=1, **more):
    meta = dict(epoch=epoch, iter=10 * epoch)
    weights = dict(state_dict=dict(w=torch.ones(500)), message_hub={})
    torch.save(dict(meta=meta, **weights, **more), path)


def cut(path):
    os.truncate(path, path.stat().st_size - 100)


def empty(path):
    os.truncate(path, 0)


def alter(path):
    raw = bytearray(path.read_bytes())
    raw[raw.index(torch.ones(500).numpy().tobytes()) + 7] ^= 1
    path.write_bytes(raw)


def zeros(path):
    path.write_bytes(bytes(path.stat().st_size))


def remove(path):
    path.unlink()


def other(path):
    torch.save(dict(state_dict={}), path)


DAMAGES = {
    cut: 'cut off or damaged',
    empty: 'it is empty',
    alter: 'wrong checksum of',
    zeros: 'damaged or no checkpoint',
    remove: 'does not exist',
    other: "no checkpoint of a run (KeyError: 'message_hub')",
}


@pytest.fixture
def folder(tmp_path):
    for epoch in (2, 9, 10):
        write(tmp_path / f'epoch_{epoch}.pth', epoch)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_10.pth'))
    # none of these is to be gone on from
    write(tmp_path / 'best_x_epoch_99.pth', 99)
    write(tmp_path / 'epoch_9-0a1b2c3d.pth', 98)
    (tmp_path / '.epoch_97.pth.123.part').write_bytes(b'PK')
    return tmp_path


def find(folder):
    path, refused = find_resumable(folder, folder / 'last_checkpoint')
    return path and path.name, refused


def test_the_one_that_is_named(folder):
    assert find(folder) == ('epoch_10.pth', [])
    # somebody wants to go back
    (folder / 'last_checkpoint').write_text('epoch_2.pth\n')
    assert find(folder) == ('epoch_2.pth', [])
    assert read_position(folder / 'epoch_2.pth') == Position(iter=20, epoch=2)


@pytest.mark.parametrize('damage', DAMAGES)
def test_a_torn_newest_falls_back_to_the_previous(folder, damage):
    newest = folder / 'epoch_10.pth'
    damage(newest)
    name, (why,) = find(folder)
    assert name == 'epoch_9.pth'
    assert str(newest) in why and DAMAGES[damage] in why and '\n' not in why
    with pytest.raises(CheckpointError) as caught:
        read_position(newest)
    assert str(caught.value) == why


def test_two_torn_ones(folder):
    cut(folder / 'epoch_10.pth')
    empty(folder / 'epoch_9.pth')
    name, refused = find(folder)
    assert name == 'epoch_2.pth' and len(refused) == 2


@pytest.mark.parametrize('text', [None, '', '\n'])
def test_last_checkpoint_is_missing_or_empty(folder, text):
    (folder / 'last_checkpoint').unlink()
    if text is not None:
        (folder / 'last_checkpoint').write_text(text)
    name, (why,) = find(folder)
    assert name == 'epoch_10.pth' and 'last_checkpoint is missing or empty' in why


def test_the_furthest_by_iterations_not_by_name(folder):
    remove(folder / 'epoch_10.pth')
    write(folder / 'iter_95.pth', 9.5)
    assert find(folder)[0] == 'iter_95.pth'


def test_a_moved_folder(folder, tmp_path_factory):
    moved = tmp_path_factory.mktemp('new') / 'place'
    folder.rename(moved)
    assert find_resumable(moved, moved / 'last_checkpoint') == (
        moved / 'epoch_10.pth',
        [],
    )


def test_a_copied_folder_goes_its_own_way(folder, tmp_path):
    copy = tmp_path / 'copy'
    shutil.copytree(folder, copy)
    assert find_resumable(copy, copy / 'last_checkpoint')[0].parent == copy


def test_checkpoints_elsewhere(folder, tmp_path):
    work_dir = tmp_path / 'other'
    work_dir.mkdir()
    (work_dir / 'last_checkpoint').write_text(str(folder / 'epoch_9.pth'))
    assert find_resumable(work_dir, work_dir / 'last_checkpoint') == (
        folder / 'epoch_9.pth',
        [],
    )


def test_nothing_to_go_on_from(tmp_path):
    assert find(tmp_path) == (None, [])
    (tmp_path / 'last_checkpoint').touch()
    torch.save({}, tmp_path / 'pretrained.pth')
    assert find(tmp_path) == (None, [])


def test_none_is_whole(folder):
    for epoch in (2, 9, 10):
        cut(folder / f'epoch_{epoch}.pth')
    with pytest.raises(CheckpointError) as caught:
        find(folder)
    assert str(caught.value).count('cut off') == 3
    assert f'no other checkpoint in {folder}' in str(caught.value)


def test_named_and_gone(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('/no/where/epoch_1.pth')
    with pytest.raises(CheckpointError, match='/no/where/epoch_1.pth.*not exist'):
        find(tmp_path)


def test_a_sharded_checkpoint_is_a_folder(tmp_path):
    (tmp_path / 'epoch_1.pth').mkdir()
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_1.pth'))
    assert find(tmp_path) == ('epoch_1.pth', [])
