"""Rewards: small functions of verdicts; a run's reward is their weighted sum."""
