// What the galleries of kiosk and board share. Every state and every failure is told to the pages by an event source of
// our own: many of them need broken equipment or a bad day of the service. Words for failures come from the table that
// the desk itself is made from.
import { readFileSync } from "node:fs";
import { generateKeyPairSync } from "node:crypto";
import { failuresOf } from "../../daemon/web/voice/prompts.mjs";

const table = new URL("../../daemon/common/failure.def", import.meta.url);

// [{ code, patient: as the kiosk gets it, staff: as the board gets it }]
export function failures() {
    return failuresOf(readFileSync(table, "utf8")).map(({ code, kind, ja, en, staff }) => ({ code, patient: { code, kind, ja, en }, staff: { code, kind, ...staff } }));
}

// In place of the browser's: window.tell(event, data) speaks as the server would.
export function ownEvents() {
    const sources = [];
    globalThis.EventSource = class {
        static CLOSED = 2;
        readyState = 1;
        heard = new Map();
        constructor() {
            sources.push(this);
            setTimeout(() => this.say("open"), 0);
        }
        addEventListener(name, handler) {
            this.heard.set(name, handler);
        }
        say(name, data) {
            this.heard.get(name)?.({ data: JSON.stringify(data) });
        }
        close() {
            sources.splice(sources.indexOf(this), 1);
        }
    };
    globalThis.tell = (name, data) => sources.forEach((s) => s.say(name, data));
    globalThis.listening = () => sources.length > 0;
}

export const key = () => {
    const { x, y } = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
    return Buffer.concat([Buffer.from([4]), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]).toString("base64");
};

export const quietLane = {
    lane: 1, label: "窓口1", institution: "clinic", visit: null, step: 1, state: "idle", method: "none", outcome: "open", failure: null, hint: null,
    offers: [], pin_tries: null, number_b_tries: null, pin_pad: false, reader: null, camera: null, card: false, box: null, consents: [], key: null,
    patient: "", ends_ms: null,
};
