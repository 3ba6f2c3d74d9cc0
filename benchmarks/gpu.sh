#!/usr/bin/env bash
# Everything that wants a CUDA device, in one go: the GPU tests, then the throughput table, which lands in
# docs/benchmarks.md. Run it from the repository's root, in an environment that has dltui's dependencies.
#   DLTUI_DATA=/folder/with/MNIST-and-FashionMNIST benchmarks/gpu.sh
set -euo pipefail
python -c 'import torch; assert torch.cuda.is_available(), "no CUDA device"; print(torch.cuda.get_device_name())'
python -m pytest tests/gpu -q
python -m benchmarks.throughput --device cuda "$@"
