"""From a window to a prediction, and from a prediction to its effect."""
