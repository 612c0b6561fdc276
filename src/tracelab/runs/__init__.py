"""A run: its folder, its checkpoints, and what its config says, built."""
