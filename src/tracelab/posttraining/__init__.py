"""Post-training by reinforcement learning with verifiable rewards."""
