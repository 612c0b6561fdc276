"""Models go out and come in: a run as a folder that other libraries load, and such a folder as a run."""
