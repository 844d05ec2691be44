"""Hooks, loops and schedulers; importing registers them."""

from .epoch_seed_hook import EpochSeedHook
from .teacher_student_loops import TeacherStudentTestLoop, TeacherStudentValLoop
from .teacher_update_hook import TeacherUpdateHook
from .train_loss_plateau import TrainLossPlateauLR

__all__ = [
    'EpochSeedHook',
    'TeacherStudentTestLoop',
    'TeacherStudentValLoop',
    'TeacherUpdateHook',
    'TrainLossPlateauLR',
]
