"""Evaluation: questions, metrics, baselines and reports."""
