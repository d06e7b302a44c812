"""Predictors: from past events to ranked candidates with probabilities."""
