"""Launchers: they run the jobs of a sweep in processes of their own, here or where a scheduler says."""
