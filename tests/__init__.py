"""Tests, and the independent twins that they hold the compiled code against."""
