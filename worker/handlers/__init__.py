"""Handlers: what a prediction sets off; entry-point group `memo.handlers`."""
