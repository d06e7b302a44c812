"""From a prediction to its effect: the dispatcher, its queues and handler processes."""
