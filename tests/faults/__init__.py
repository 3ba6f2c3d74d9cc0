"""What we promise when things go wrong, tried: a quick draw in `make test`, the full counts in `make torture`."""
