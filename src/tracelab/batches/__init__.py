"""Sequences -> padded or packed batches, in an order that (seed, chunk) alone decides."""
