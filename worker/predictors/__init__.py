"""Predictors: from what happened to ranked candidates with probabilities."""
