"""Version 1 of KDE's org_kde_kwin_idle, the predecessor of ext-idle-notify-v1, declared for pywayland.

Source: https://wayland.app/protocols/kde-idle.
"""

from pywayland.protocol.wayland import WlSeat
from pywayland.protocol_core import Argument, ArgumentType, Interface, Proxy

from collector.sources.wayland.toplevel_protocol import named


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
