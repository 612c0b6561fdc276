"""What is asked of a trained model beyond its test sets."""
