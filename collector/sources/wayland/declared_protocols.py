"""Version 3 of wlr-foreign-toplevel-management and version 1 of KDE's org_kde_kwin_idle, declared for pywayland.

Source: https://wayland.app/protocols/wlr-foreign-toplevel-management-unstable-v1. Wayland identifies events and
requests by their position, so unused ones must be declared too.
"""

from collections.abc import Callable

from pywayland.protocol.wayland import WlOutput, WlSeat
from pywayland.protocol_core import Argument, ArgumentType, Interface, Proxy

ACTIVATED = 2  # state of the focused window

_TEXT, _ARRAY = Argument(ArgumentType.String), Argument(ArgumentType.Array)
_OUTPUT = Argument(ArgumentType.Object, interface=WlOutput)
_ANY_OUTPUT = Argument(ArgumentType.Object, interface=WlOutput, nullable=True)
_SEAT = Argument(ArgumentType.Object, interface=WlSeat)
_REQUESTS: dict[str, tuple[Argument, ...]] = {  # those that are never sent without their arguments
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


class ManagerProxy(Proxy[Manager]):
    """The client's side of the manager."""

    interface = Manager


def named(name: str) -> Callable[[], None]:
    """Return a function of this name, from which pywayland takes a message's name."""

    def message() -> None: ...

    message.__name__ = name
    return message


Handle.event(_TEXT)(named("title"))
Handle.event(_TEXT)(named("app_id"))
Handle.event(_OUTPUT)(named("output_enter"))
Handle.event(_OUTPUT)(named("output_leave"))
Handle.event(_ARRAY)(named("state"))
Handle.event()(named("done"))
Handle.event()(named("closed"))
Handle.event(Argument(ArgumentType.Object, interface=Handle, nullable=True), version=3)(named("parent"))
for _request, _arguments in _REQUESTS.items():
    Handle.request(*_arguments, version=2 if "fullscreen" in _request else None)(named(_request))
Handle.proxy_class = HandleProxy
Handle._gen_c()

Manager.event(Argument(ArgumentType.NewId, interface=Handle))(named("toplevel"))
Manager.event()(named("finished"))
Manager.request()(named("stop"))
Manager.proxy_class = ManagerProxy
Manager._gen_c()


class Timeout(Interface):
    """A seat's idle timeout, with events for its expiry and for the next input."""

    name = "org_kde_kwin_idle_timeout"
    version = 1


class TimeoutProxy(Proxy[Timeout]):
    """The client's side of a timeout."""

    interface = Timeout


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


for _event in ("idle", "resumed"):
    Timeout.event()(named(_event))
for _request in ("release", "simulate_activity"):
    Timeout.request()(named(_request))
Timeout.proxy_class = TimeoutProxy
Timeout._gen_c()

Idle.request(
    Argument(ArgumentType.NewId, interface=Timeout),
    Argument(ArgumentType.Object, interface=WlSeat),
    Argument(ArgumentType.Uint),
)(named("get_idle_timeout"))
Idle.proxy_class = IdleProxy
Idle._gen_c()
