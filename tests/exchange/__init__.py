"""Models that go out and come in, against the libraries that load them."""
