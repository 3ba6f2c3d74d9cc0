"""Data sets, one family per file. `load` builds what a configuration describes."""
