"""Version 1 of wlr-foreign-toplevel-management, as pywayland needs it.

Source: https://wayland.app/protocols/wlr-foreign-toplevel-management-unstable-v1. Wayland knows events and requests
by their place alone, so those that MEMO has no use for stand here too.
"""

from collections.abc import Callable

from pywayland.protocol.wayland import WlOutput
from pywayland.protocol_core import Argument, ArgumentType, Interface, Proxy

ACTIVATED = 2
"""The state of the window that has the focus."""

_TEXT, _ARRAY = Argument(ArgumentType.String), Argument(ArgumentType.Array)
_OUTPUT = Argument(ArgumentType.Object, interface=WlOutput)
_UNUSED = (
    "set_maximized",
    "unset_maximized",
    "set_minimized",
    "unset_minimized",
    "activate",
    "close",
    "set_rectangle",
)


class Handle(Interface):
    """A window."""

    name = "zwlr_foreign_toplevel_handle_v1"
    version = 1


class HandleProxy(Proxy[Handle]):
    """A window, at our end."""

    interface = Handle

    def destroy(self) -> None:
        """Tell the compositor that its number may be used anew."""
        self._marshal(len(_UNUSED))
        self._destroy()


class Manager(Interface):
    """Tells of all windows."""

    name = "zwlr_foreign_toplevel_manager_v1"
    version = 1


class ManagerProxy(Proxy[Manager]):
    """The same, at our end."""

    interface = Manager


def named(name: str) -> Callable[[], None]:
    """pywayland takes a message's name from a function."""

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
for _request in (*_UNUSED, "destroy"):
    Handle.request()(named(_request))
Handle.proxy_class = HandleProxy
Handle._gen_c()

Manager.event(Argument(ArgumentType.NewId, interface=Handle))(named("toplevel"))
Manager.event()(named("finished"))
Manager.request()(named("stop"))
Manager.proxy_class = ManagerProxy
Manager._gen_c()
