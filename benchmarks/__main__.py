"""`python -m benchmarks`: all that is measured."""

from benchmarks.throughput import main

main()
