"""The process of the page: `python -m ui`."""

from memo.core import logs
from memo.core.paths import Home, be_private
from ui.server import serve

if __name__ == "__main__":
    be_private()
    home = Home.find()
    logs.setup(home.logs, "ui")
    serve(home)
