#!/usr/bin/env bash
# Train on a Slurm cluster, one process a GPU.
# Usage: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [arguments of tools/train.py]
# In the environment: GPUS (8), GPUS_PER_NODE (at most 8), CPUS_PER_TASK (5), PORT, and
# SRUN_ARGS for anything else, e.g. SRUN_ARGS='--time=8:00:00 --signal=TERM@120': Slurm
# then sends SIGTERM two minutes before the end. Go on with --resume.
set -euo pipefail

if (( $# < 3 )); then
    echo 'usage: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [arguments of tools/train.py]' >&2
    exit 2
fi
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
gpus=${GPUS:-8}
per_node=${GPUS_PER_NODE:-$(( gpus < 8 ? gpus : 8 ))}

# SRUN_ARGS comes last, so that it can change what is before it
# shellcheck disable=SC2086
MASTER_PORT=${PORT:-29500} PYTHONPATH="$tools/..${PYTHONPATH:+:$PYTHONPATH}" exec srun \
    --partition="$1" \
    --job-name="$2" \
    --gres="gpu:$per_node" \
    --ntasks="$gpus" \
    --ntasks-per-node="$per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$tools/train.py" "$3" --launcher slurm "${@:4}"
