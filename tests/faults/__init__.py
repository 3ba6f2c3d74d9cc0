"""What we promise when things go wrong, each promise tried: a quick draw in `make test`, the full counts in `make torture`."""
