"""Post-training algorithms: how rewards become advantages, and advantages a loss."""
