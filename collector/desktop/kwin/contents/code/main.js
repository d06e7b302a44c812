// Tells MEMO which window has the focus, and when that window's title changes. For KWin 5 and 6.

let followed = null;

function tell() {
    const window = followed;
    // All as text: which D-Bus type KWin makes of a number can't be told before.
    callDBus("org.memo.Collector", "/org/memo/Collector", "org.memo.Collector", "FocusWindow",
        String((window && window.internalId) || ""),
        String((window && (window.desktopFileName || window.resourceClass)) || ""),
        String((window && window.caption) || ""),
        String((window && window.pid) || 0));
}

function activated(window) {
    if (followed && followed.captionChanged)
        followed.captionChanged.disconnect(tell);
    followed = window;
    if (followed && followed.captionChanged)
        followed.captionChanged.connect(tell);
    tell();
}

function removed(window) {
    if (window === followed)
        activated(null);
}

(workspace.windowActivated || workspace.clientActivated).connect(activated);
(workspace.windowRemoved || workspace.clientRemoved).connect(removed);
activated(workspace.activeWindow || workspace.activeClient || null);
