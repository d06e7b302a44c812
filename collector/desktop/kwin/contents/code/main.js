// Reports the focused window to MEMO, and changes of its title. For KWin 5 and 6.

let followed = null;

function report() {
    const window = followed;
    // All arguments are text: KWin chooses the D-Bus type of a number itself.
    callDBus("org.memo.Collector", "/org/memo/Collector", "org.memo.Collector", "FocusWindow",
        String((window && window.internalId) || ""),
        String((window && (window.desktopFileName || window.resourceClass)) || ""),
        String((window && window.caption) || ""),
        String((window && window.pid) || 0));
}

function activated(window) {
    if (followed && followed.captionChanged)
        followed.captionChanged.disconnect(report);
    followed = window;
    if (followed && followed.captionChanged)
        followed.captionChanged.connect(report);
    report();
}

function removed(window) {
    if (window === followed)
        activated(null);
}

(workspace.windowActivated || workspace.clientActivated).connect(activated);
(workspace.windowRemoved || workspace.clientRemoved).connect(removed);
activated(workspace.activeWindow || workspace.activeClient || null);
