"""What one training step means, what to measure and what to draw; one family per file."""
