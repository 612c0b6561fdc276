"""Derivations: rules applied to premises, recorded and judged."""
