"""Version 3 of wlr-foreign-toplevel-management and version 1 of KDE's org_kde_kwin_idle, declared for pywayland.

Source: https://wayland.app/protocols/wlr-foreign-toplevel-management-unstable-v1. Wayland identifies events and
requests by their position, so unused ones must be declared too.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pywayland.protocol.wayland import WlOutput, WlSeat
from pywayland.protocol_core import Argument, ArgumentType, Interface, Proxy

ACTIVATED = 2  # state of the focused window

_TEXT, _ARRAY = Argument(ArgumentType.String), Argument(ArgumentType.Array)
_OUTPUT = Argument(ArgumentType.Object, interface=WlOutput)
_ANY_OUTPUT = Argument(ArgumentType.Object, interface=WlOutput, nullable=True)
_SEAT = Argument(ArgumentType.Object, interface=WlSeat)
_ID = ArgumentType.NewId
_SINCE = {"parent": 3, "set_fullscreen": 2, "unset_fullscreen": 2}  # versions; all others are from the beginning
Messages = Mapping[str, tuple[Argument, ...]]
_REQUESTS: Messages = {  # those that are never sent without their arguments
    "set_maximized": (),
    "unset_maximized": (),
    "set_minimized": (),
    "unset_minimized": (),
    "activate": (_SEAT,),
    "close": (),
    "set_rectangle": (),
    "destroy": (),
    "set_fullscreen": (_ANY_OUTPUT,),
    "unset_fullscreen": (),
}


class Handle(Interface):
    """A window."""

    name = "zwlr_foreign_toplevel_handle_v1"
    version = 3


class HandleProxy(Proxy[Handle]):
    """The client's side of a window."""

    interface = Handle

    def activate(self, seat: Proxy[WlSeat]) -> None:
        """Bring the window to the front."""
        self._marshal(list(_REQUESTS).index("activate"), seat)

    def destroy(self) -> None:
        """Tell the compositor that the handle is no longer used."""
        self._marshal(list(_REQUESTS).index("destroy"))
        self._destroy()


class Manager(Interface):
    """The list of all windows."""

    name = "zwlr_foreign_toplevel_manager_v1"
    version = 3


class Timeout(Interface):
    """A seat's idle timeout, with events for its expiry and for the next input."""

    name = "org_kde_kwin_idle_timeout"
    version = 1


class Idle(Interface):
    """The factory of timeouts."""

    name = "org_kde_kwin_idle"
    version = 1


class IdleProxy(Proxy[Idle]):
    """The client's side of the factory."""

    interface = Idle

    def get_idle_timeout(self, seat: Proxy[WlSeat], after_ms: int) -> Proxy[Timeout]:
        """Return a timeout that expires after `after_ms` without input."""
        timeout: Proxy[Timeout] = self._marshal_constructor(0, Timeout, seat, after_ms)
        return timeout


def _declare(
    interface: type[Interface], events: Messages, requests: Messages, proxy: type[Proxy[Any]] | None = None
) -> None:
    """Give an interface its messages in this order, and its client's side, by default one that sends nothing."""
    for declare, messages in ((interface.event, events), (interface.request, requests)):
        for name, arguments in messages.items():
            declare(*arguments, version=_SINCE.get(name))(_named(name))
    interface.proxy_class = proxy or type(f"{interface.__name__}Proxy", (Proxy,), {"interface": interface})
    interface._gen_c()


def _named(name: str) -> Callable[[], None]:
    """Return a function of this name, from which pywayland takes a message's name."""

    def message() -> None: ...

    message.__name__ = name
    return message


_EVENTS: Messages = {
    "title": (_TEXT,),
    "app_id": (_TEXT,),
    "output_enter": (_OUTPUT,),
    "output_leave": (_OUTPUT,),
    "state": (_ARRAY,),
    "done": (),
    "closed": (),
    "parent": (Argument(ArgumentType.Object, interface=Handle, nullable=True),),
}
_declare(Handle, _EVENTS, _REQUESTS, HandleProxy)
_declare(Manager, {"toplevel": (Argument(_ID, interface=Handle),), "finished": ()}, {"stop": ()})
_declare(Timeout, {"idle": (), "resumed": ()}, {"release": (), "simulate_activity": ()})
_TIMEOUT = (Argument(_ID, interface=Timeout), _SEAT, Argument(ArgumentType.Uint))
_declare(Idle, {}, {"get_idle_timeout": _TIMEOUT}, IdleProxy)
