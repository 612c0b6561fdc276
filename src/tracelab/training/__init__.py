"""Training from scratch under Lightning, with a budget, exactly resumable."""
