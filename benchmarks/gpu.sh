#!/usr/bin/env bash
# Everything that wants a CUDA device, in one go: the GPU tests, then the table, which lands in docs/benchmarks.md.
# Run it from the repository's root, in an environment that has dltui's dependencies, pytest and pytest-asyncio; with
# lightning there is a column more.
#   DLTUI_DATA=/folder/with/MNIST,FashionMNIST,cifar10_subset,noto_emoji64,imdb benchmarks/gpu.sh [--repeats 5]
# All of it takes about half an hour. In several goes: `python -m pytest tests/gpu`, then `python -m benchmarks.gpu` with
# --rows and --only.
set -euo pipefail
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
python -c 'import torch; assert torch.cuda.is_available(), "no CUDA device"; print(torch.cuda.get_device_name())'
status=0
python -m pytest tests/gpu -q -p no:cacheprovider || status=$?
python -m benchmarks.gpu "$@" || status=$?
exit $status
