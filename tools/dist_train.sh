#!/usr/bin/env bash
# Train with several processes, one a GPU (or on a CPU-only machine over gloo).
# Usage: tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]
# Several machines: NNODES, NODE_RANK, MASTER_ADDR and PORT in the environment.
set -euo pipefail

if (( $# < 2 )); then
    echo 'usage: tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]' >&2
    exit 2
fi
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

PYTHONPATH="$tools/..${PYTHONPATH:+:$PYTHONPATH}" exec "${PYTHON:-python}" \
    -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$2" \
    "$tools/train.py" "$1" --launcher pytorch "${@:3}"
