"""The search of a game's tree: moves entered, values handed back; minimax and alpha-beta. No torch."""
