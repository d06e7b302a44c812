"""MEMO: a daemon that learns what you do on your workstation and predicts what comes next."""

__version__ = "0.1.0"
