"""Frozen and streamed data sets of treated examples, and the batches made of them."""
