// Spoken guidance: recordings made from the catalogues (or own ones), one a text, played one after another.
// Nothing keyed in and nobody's name is ever spoken.
const loudness = [0, 0.25, 0.55, 1];

// What a screen says, in the order in which it is read: what stands in large letters, then the choices by the
// number of their key.
export function promptsOf(...places) {
    const names = [];
    for (const place of places)
        for (const line of place.querySelectorAll("[data-prompt]")) {
            const name = line.dataset.prompt;
            const [language] = name.split("/");
            const button = line.closest("button");
            if (line.closest("[hidden], .pad, .aside, .count, footer, header") || name.endsWith("/ease.close"))
                continue;
            if (button === null) {
                names.push(name);
                continue;
            }
            const key = button.querySelector(".key");
            if (key !== null)
                names.push(`${language}/voice.key.${key.textContent}`, name);
            else if (!button.classList.contains("plain"))
                names.push(name);
            if (button.getAttribute("aria-pressed") === "true")
                names.push(`${language}/ease.on`);
        }
    return names;
}

export function voiceOf(ease) {
    const player = new Audio();
    let queue = [];
    let said = [];

    function next() {
        const name = queue.shift();
        if (name === undefined)
            return;
        player.src = `/voice/${name}`;
        player.volume = loudness[ease.volume];
        /* Without a first touch a browser may refuse; then it is read, not heard. */
        player.play().catch(() => {});
    }
    player.addEventListener("ended", next);
    player.addEventListener("error", next); // a recording that is missing: on to the next
    return {
        // Instead of what is being said.
        say(names, keep = true) {
            if (keep)
                said = names;
            queue = ease.voice ? [...names] : [];
            player.pause();
            next();
        },
        again: () => {
            queue = ease.voice ? [...said] : [];
            player.pause();
            next();
        },
        hush() {
            queue = [];
            player.pause();
        },
    };
}
