"""Treatments: what is done to the traces of a data set. One file and one YAML each. No torch."""
