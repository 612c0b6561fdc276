"""Optimisers (Muon with AdamW, AdamW) and learning-rate schedules. `conf/optim/` picks one."""
