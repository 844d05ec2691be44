"""Hooks, loops and schedulers; importing registers them."""

from .atomic_checkpoint_hook import AtomicCheckpointHook
from .checkpoint_check_hook import CheckpointCheckHook
from .checkpoint_files import CheckpointError
from .epoch_seed_hook import EpochSeedHook
from .mid_epoch_checkpoint_hook import MidEpochCheckpointHook
from .mid_epoch_train_loop import MidEpochTrainLoop
from .non_finite_hook import NonFiniteHook
from .run_summary_hook import RunSummaryHook
from .sharded_strategy import ShardedStrategy
from .teacher_student_loops import TeacherStudentTestLoop, TeacherStudentValLoop
from .teacher_update_hook import TeacherUpdateHook
from .termination_hook import TerminationHook
from .train_loss_plateau import TrainLossPlateauLR
from .training_stats_hook import TrainingStatsHook
from .unsharded_evaluation_hook import UnshardedEvaluationHook

__all__ = [
    'AtomicCheckpointHook',
    'CheckpointCheckHook',
    'CheckpointError',
    'EpochSeedHook',
    'MidEpochCheckpointHook',
    'MidEpochTrainLoop',
    'NonFiniteHook',
    'ShardedStrategy',
    'RunSummaryHook',
    'TeacherStudentTestLoop',
    'TeacherStudentValLoop',
    'TeacherUpdateHook',
    'TerminationHook',
    'TrainLossPlateauLR',
    'TrainingStatsHook',
    'UnshardedEvaluationHook',
]
