// For somebody who helps from outside: how this house is and what its day was like, as one file, without a person in it.
// It is made of the fields named here and of no others: what is added to the desk one day does not leave by itself.
import { h } from "./dom.js";

const only = (...names) => (one) => Object.fromEntries(names.filter((name) => name in one).map((name) => [name, one[name]?.code ?? one[name]]));
const visit = only("visit", "lane", "opened", "closed", "state", "method", "outcome", "failure", "flags", "answered", "record", "challenge", "liveness", "card_ms", "photo_ms", "face_ms", "pin_ms", "ask_ms", "total_ms", "apdus", "frames");
const lane = only("lane", "institution", "state", "method", "outcome", "failure", "hint", "reader", "camera", "card", "pin_pad", "pin_tries", "number_b_tries", "offers");
const device = only("lane", "kind", "use", "vendor", "product", "port", "name", "holder");
const part = only("component", "state", "failure", "detail", "until");
const trouble = only("day", "failure", "count");

// Words of the house's own parts may name a host, a file or a number: these go.
const struck = (words) =>
    words
        .replace(/https?:\/\/[^/\s"]+/g, "https://(redacted)")
        .replace(/\b\d{8,}\b/g, (digits) => `(${digits.length} digits)`);

export function bundleText({ health, devices, troubles, lanes, visits, metrics }) {
    return JSON.stringify(
        {
            made: new Date().toISOString(),
            parts: health.map(part).map((one) => ({ ...one, detail: struck(one.detail ?? "") })),
            lanes: lanes.map(lane),
            devices: devices.map(device),
            troubles: troubles.map(trouble),
            visits: visits.map(visit),
            metrics: struck(metrics).split("\n"),
        },
        null,
        1,
    );
}

// Into the browser's own folder for what it saves.
export function save(text) {
    const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    const name = `uketsuke-${new Date().toISOString().slice(0, 16).replace(/\D/g, "")}.json`;
    h("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
    return name;
}
