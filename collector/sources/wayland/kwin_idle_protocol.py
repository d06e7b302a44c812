"""Version 1 of KDE's org_kde_kwin_idle, as pywayland needs it: what compositors offered before ext-idle-notify-v1.

Source: https://wayland.app/protocols/kde-idle.
"""

from pywayland.protocol.wayland import WlSeat
from pywayland.protocol_core import Argument, ArgumentType, Interface, Proxy

from collector.sources.wayland.toplevel_protocol import named


class Timeout(Interface):
    """Of a seat: tells that nobody has touched anything for so long, and that somebody does again."""

    name = "org_kde_kwin_idle_timeout"
    version = 1


class TimeoutProxy(Proxy[Timeout]):
    """The same, at our end."""

    interface = Timeout


class Idle(Interface):
    """Makes timeouts."""

    name = "org_kde_kwin_idle"
    version = 1


class IdleProxy(Proxy[Idle]):
    """The same, at our end."""

    interface = Idle

    def get_idle_timeout(self, seat: Proxy[WlSeat], after_ms: int) -> Proxy[Timeout]:
        """Be told when nobody has touched anything for so long."""
        made: Proxy[Timeout] = self._marshal_constructor(0, Timeout, seat, after_ms)
        return made


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
