"""From a teacher to a small potential: structures, labels, training, active rounds, the model and its card."""
