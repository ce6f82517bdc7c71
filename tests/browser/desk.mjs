// The hands of this test on the simulated counter: card and camera by the simulator's control socket, and what the
// simulator itself knows about its cards. Nothing here talks to the desk: that is left to the pages.
import { connect } from "node:net";
import { readFileSync } from "node:fs";

// One command line, one answer line.
export function ask(socket, line, ms = 10000) {
    return new Promise((done, fail) => {
        const stream = connect(socket);
        let answer = "";
        const timer = setTimeout(() => stream.destroy(new Error(`${line}: no answer`)), ms);
        stream.setEncoding("utf8");
        stream.on("data", (text) => {
            answer += text;
            if (!answer.includes("\n"))
                return;
            clearTimeout(timer);
            stream.end();
            const words = answer.split("\n")[0];
            if (words.startsWith("ok"))
                done(words);
            else
                fail(new Error(`${line}: ${words}`));
        });
        stream.on("error", fail);
        stream.write(`${line}\n`);
    });
}

export function counter(desk, cards) {
    const rows = readFileSync(`${cards}/index.tsv`, "utf8").trim().split("\n").map((line) => line.split("\t"));
    const column = (name) => rows[0].indexOf(name);
    return {
        device: (line) => ask(`${desk}/run/device-1.control`, line),
        launcher: (line) => ask(`${desk}/run/launcher.control`, line),
        service: (line) => ask(`${desk}/run/service.control`, line),
        token: (name) => readFileSync(`${desk}/tokens/${name}`, "utf8").trim(),
        card(name) {
            const row = rows.find((r) => r[column("card")] === name);
            return { pin: row[column("pin")], numberB: row[column("number-b")], birth: row[column("birth")] };
        },
        // Every name, kana and birth date that must not stand on a kiosk.
        people: rows.slice(1).flatMap((r) => [r[column("name")], r[column("kana")], r[column("birth")]]).filter((text) => text !== ""),
        // "left" of one retry counter, as the card's own book says.
        async tries(name, key) {
            const words = await ask(`${desk}/run/device-1.control`, `counters ${name}`);
            return Number(words.match(new RegExp(`${key.replace(".", "\\.")}=(\\d+)`))[1]);
        },
    };
}
