"""Metrics over outcomes. One file and one YAML each. No torch."""
