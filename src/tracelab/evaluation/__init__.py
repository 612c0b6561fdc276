"""What a trained model does on test sets: sampled, judged, counted, drawn."""
