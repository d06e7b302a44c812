"""Means of handlers: launching, page cache, notifications, and readings of the machine."""
