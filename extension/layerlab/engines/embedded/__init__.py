"""Real image builds without a daemon and without root."""
