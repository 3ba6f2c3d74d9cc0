#!/usr/bin/env bash
# Everything that wants a CUDA device, in one go: the GPU tests, then the table, which lands in docs/benchmarks.md.
# Run it from the repository's root, in an environment that has dltui's dependencies, pytest, pytest-asyncio and
# hypothesis; with lightning there is a column more.
#   [PYTHON=python3] DLTUI_DATA=/folder/with/MNIST,FashionMNIST,cifar10_subset,noto_emoji64,imdb \
#     benchmarks/gpu.sh [--repeats 5] [--only spiral-relu mnist-mlp] [--rows DIR]
# All of it takes about half an hour: five minutes for the tests, three to five for each of seven presets, half of that
# with --repeats 2. In several goes: TESTS=no leaves the tests out, --only names presets, and --rows keeps what was
# measured (see benchmarks/gpu.py).
set -euo pipefail
# runs that are measured find dltui by it, though they start without their own folder on the path
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
python=${PYTHON:-python3}
"$python" -c 'import torch; assert torch.cuda.is_available(), "no CUDA device"; print(torch.cuda.get_device_name())'
status=0
[ "${TESTS:-yes}" = no ] || "$python" -m pytest tests/gpu -q -p no:cacheprovider || status=$?
"$python" -m benchmarks.gpu "$@" || status=$?
exit $status
