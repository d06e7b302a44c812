// Reports the focused window to MEMO, and changes of its title. For GNOME 45 and newer.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import Shell from 'gi://Shell';

import {Extension} from 'resource:///org/gnome/shell/extensions/extension.js';

const NAME = 'org.memo.Collector';
const PATH = '/org/memo/Collector';

function report(window, app, title, pid) {
    Gio.DBus.session.call(
        NAME, PATH, NAME, 'FocusWindow', new GLib.Variant('(ssss)', [window, app, title, pid]),
        null, Gio.DBusCallFlags.NO_AUTO_START, -1, null,
        (bus, result) => {
            try {
                bus.call_finish(result);
            } catch {
                // MEMO is not running.
            }
        });
}

export default class MemoExtension extends Extension {
    enable() {
        this._window = null;
        global.display.connectObject('notify::focus-window', () => this._follow(global.display.focus_window), this);
        this._follow(global.display.focus_window);
        // Report again when MEMO starts later.
        this._watch = Gio.bus_watch_name(
            Gio.BusType.SESSION, NAME, Gio.BusNameWatcherFlags.NONE, () => this._report(), null);
    }

    disable() {
        Gio.bus_unwatch_name(this._watch);
        global.display.disconnectObject(this);
        this._follow(null);
    }

    _follow(window) {
        this._window?.disconnectObject(this);
        this._window = window;
        this._window?.connectObject('notify::title', () => this._report(), this);
        this._report();
    }

    _report() {
        const window = this._window;
        if (!window) {
            report('', '', '', '0');
            return;
        }
        const id = Shell.WindowTracker.get_default().get_window_app(window)?.get_id() ?? '';
        // The shell makes up ids such as "window:7" for windows that belong to no app.
        const app = id.startsWith('window:') ? '' : id;
        report(`${window.get_id()}`, app || window.get_wm_class() || '', window.get_title() ?? '', `${window.get_pid()}`);
    }
}
