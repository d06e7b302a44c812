"""The person model: where a person goes next, and what they do there."""
