"""Our tasks where others post-train and evaluate: each adapter stands on `tracelab.verify`."""
