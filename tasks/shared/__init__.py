"""What several tasks are made of. Tasks import it, never each other."""
