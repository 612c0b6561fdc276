"""Models. One file and one YAML each."""
