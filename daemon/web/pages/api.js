// Talking to the server: the session, requests, events that survive a lost connection.

export class Refused extends Error {
    constructor(status, error) {
        super(error?.code ?? String(status));
        this.status = status;
        this.error = error ?? {};
    }
}

export function connect(surface) {
    async function request(method, path, body) {
        const options = { method, headers: { "X-Uketsuke": surface }, cache: "no-store", credentials: "same-origin" };
        if (body !== undefined) {
            options.headers["Content-Type"] = "application/json";
            options.body = JSON.stringify(body);
        }
        const response = await fetch(path, options);
        const json = response.status === 204 ? null : await response.json().catch((cut) => {
            if (response.ok)
                throw cut;
            return null;
        });
        if (!response.ok)
            throw new Refused(response.status, json?.error);
        return json;
    }

    // With which a page begins: asked until the server answers, however often it is lost on the way.
    async function answered(method, path, body) {
        for (;;) {
            try {
                return await request(method, path, body);
            } catch (lost) {
                if (lost instanceof Refused && lost.status < 500)
                    throw lost;
            }
            await new Promise((done) => setTimeout(done, 1000));
        }
    }

    // A list, newest first, a page each: take(rows) gets every page from below the row of the number `before` on (null: from
    // the newest), until there is no more or it returns false.
    async function pages(path, { rows, id }, before, take) {
        for (let more = true; more;) {
            const page = await request("GET", before === null ? path : `${path}?before=${before}`);
            before = page[rows].at(-1)?.[id] ?? null;
            more = take(page[rows]) !== false && page.more && before !== null;
        }
    }

    // The token stands once in the fragment (#token=... or #... alone; never sent to a server by the browser); it is exchanged for a cookie
    // and taken out of address and history.
    async function signInByFragment() {
        const words = location.hash.slice(1);
        const fragment = new URLSearchParams(words.includes("=") ? words : { token: words });
        const token = fragment.get("token") ?? "";
        if (token === "")
            return false;
        history.replaceState(null, "", location.pathname + location.search);
        await answered("POST", "/api/session", { token, name: fragment.get("name") ?? "" });
        return true;
    }

    // handlers: {event name: function}; onstate("up" | "lost" | "closed"): closed means sign in anew.
    function listen(path, handlers, onstate) {
        let source = null;
        let wait = 500;
        let stopped = false;

        function open() {
            if (stopped)
                return;
            source = new EventSource(path);
            source.addEventListener("open", () => {
                wait = 500;
                onstate("up");
            });
            source.addEventListener("error", async () => {
                onstate("lost");
                if (source.readyState !== EventSource.CLOSED)
                    return; // the browser connects again by itself
                // Asked for its status only: something that shows no patient, so that it is no view of anybody.
                const probe = await fetch(path.replace(/\/events$/, path === "/api/events" ? "/disaster" : ""), {
                    headers: { "X-Uketsuke": surface },
                    cache: "no-store",
                }).catch(() => null);
                if (stopped)
                    return; // it ended by itself meanwhile: nothing more is said of it
                if (probe?.status === 401) {
                    onstate("closed");
                    return;
                }
                setTimeout(open, wait);
                wait = Math.min(wait * 2, 5000);
            });
            for (const [name, handler] of Object.entries(handlers))
                source.addEventListener(name, (event) => handler(JSON.parse(event.data)));
        }
        open();
        return () => {
            stopped = true;
            source.close();
        };
    }

    return {
        answered,
        get: (path) => request("GET", path),
        pages,
        post: (path, body) => request("POST", path, body),
        remove: (path) => request("DELETE", path),
        signInByFragment,
        listen,
    };
}
