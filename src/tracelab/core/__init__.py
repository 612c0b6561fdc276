"""What everything else is made of: named randomness, ragged arrays, tokens, types. No torch."""
