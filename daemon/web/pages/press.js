// A press begins and ends on the same button, or nothing hears of it: what arrives from the desk in between, and would draw
// that button anew, waits until the press is over.
const LONGEST_MS = 3000;    // its end came to nobody: outside the window, in a box of the system
const AFTER_TOUCH_MS = 150; // a finger's click comes after the finger is gone

export function pressOf() {
    const waiting = [];
    let pressed = false;
    let timer = 0;

    function flush() {
        while (!pressed && waiting.length > 0)
            waiting.shift()();
    }
    function over() {
        clearTimeout(timer);
        pressed = false;
        setTimeout(flush);
    }
    function within(ms) {
        clearTimeout(timer);
        timer = setTimeout(over, ms);
    }
    function begin() {
        pressed = true;
        within(LONGEST_MS);
    }
    addEventListener("pointerdown", begin, true);
    addEventListener("pointerup", () => within(AFTER_TOUCH_MS), true);
    addEventListener("pointercancel", over, true);
    addEventListener("keydown", (event) => event.key === " " && event.target.matches("button") && begin(), true);
    addEventListener("keyup", (event) => event.key === " " && within(AFTER_TOUCH_MS), true);
    addEventListener("click", over, true);

    return {
        // The same handlers of events, {name: function}; in their order, none before the press is over.
        held: (handlers) => Object.fromEntries(Object.entries(handlers).map(([name, take]) => [name, (told) => {
            waiting.push(() => take(told));
            flush();
        }])),
        // What waits is nobody's any more: the session has ended, or everything is told anew.
        drop: () => waiting.splice(0),
    };
}
