"""Places: Home, Configure, Run, and what opens above them."""
