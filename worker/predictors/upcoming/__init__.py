"""What a person will want soon: the probability of each action within the horizon, by its past."""
