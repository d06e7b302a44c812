"""Event files: a JSON list of windows or of objects, event lines, JSON objects one a line, or CSV."""

from data.importers import rejects
from data.importers.event_files import events, form, lines, look_through, open_file, read, read_windows
from data.importers.line import Reject

__all__ = ["Reject", "events", "form", "lines", "look_through", "open_file", "read", "read_windows", "rejects"]
