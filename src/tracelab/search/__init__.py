"""The shared trace grammars: how a search is recorded and checked, for every task. No torch."""
