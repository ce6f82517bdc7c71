// QR codes (ISO/IEC 18004): bytes, error correction M, versions 1 to 13, all eight masks weighed. Enough for the link
// that an authenticator app takes, drawn here so that the secret goes to no other program.
import { svg } from "./dom.js";

// Error correction M, version 1 on: codewords of correction in a block, [blocks, data codewords in each] one or two times.
const blocksOf = [
    [10, 1, 16], [16, 1, 28], [26, 1, 44], [18, 2, 32], [24, 2, 43], [16, 4, 27], [18, 4, 31], [22, 2, 38, 2, 39],
    [22, 3, 36, 2, 37], [26, 4, 43, 1, 44], [30, 1, 50, 4, 51], [22, 6, 36, 2, 37], [22, 8, 37, 1, 38],
];
// Centres of the alignment patterns.
const centres = [[], [6, 18], [6, 22], [6, 26], [6, 30], [6, 34], [6, 22, 38], [6, 24, 42], [6, 26, 46], [6, 28, 50], [6, 30, 54], [6, 32, 58], [6, 34, 62]];

const masks = [
    (r, c) => (r + c) % 2 === 0, (r) => r % 2 === 0, (r, c) => c % 3 === 0, (r, c) => (r + c) % 3 === 0,
    (r, c) => (Math.floor(r / 2) + Math.floor(c / 3)) % 2 === 0, (r, c) => ((r * c) % 2) + ((r * c) % 3) === 0,
    (r, c) => (((r * c) % 2) + ((r * c) % 3)) % 2 === 0, (r, c) => (((r + c) % 2) + ((r * c) % 3)) % 2 === 0,
];

// GF(256) over x^8 + x^4 + x^3 + x^2 + 1.
const exp = new Uint8Array(510);
const log = new Uint8Array(256);
for (let i = 0, x = 1; i < 255; i++) {
    exp[i] = exp[i + 255] = x;
    log[x] = i;
    x = x << 1 ^ (x & 128 ? 0x11d : 0);
}
const times = (a, b) => (a === 0 || b === 0 ? 0 : exp[log[a] + log[b]]);

function generator(n) {
    let poly = [1];
    for (let i = 0; i < n; i++) {
        const next = new Array(poly.length + 1).fill(0);
        poly.forEach((c, j) => {
            next[j] ^= c;
            next[j + 1] ^= times(c, exp[i]);
        });
        poly = next;
    }
    return poly;
}

function correction(data, n) {
    const poly = generator(n);
    const rest = [...data, ...new Array(n).fill(0)];
    for (let i = 0; i < data.length; i++) {
        const lead = rest[i];
        if (lead !== 0)
            poly.forEach((c, j) => (rest[i + j] ^= times(c, lead)));
    }
    return rest.slice(data.length);
}

const groups = ([, ...pairs]) => pairs.flatMap((count, i) => (i % 2 === 0 ? new Array(count).fill(pairs[i + 1]) : []));

// The codewords as they are laid out: data and correction, each interleaved over the blocks.
function codewords(bytes) {
    const version = blocksOf.findIndex((row, i) => groups(row).reduce((a, b) => a + b, 0) * 8 >= 4 + (i < 9 ? 8 : 16) + bytes.length * 8) + 1;
    if (version === 0)
        throw new RangeError("too long for a code of version 13");
    const row = blocksOf[version - 1];
    const sizes = groups(row);
    const room = sizes.reduce((a, b) => a + b, 0);
    const bits = [];
    const put = (value, n) => {
        for (let i = n - 1; i >= 0; i--)
            bits.push(value >> i & 1);
    };
    put(4, 4);
    put(bytes.length, version < 10 ? 8 : 16);
    bytes.forEach((b) => put(b, 8));
    put(0, Math.min(4, room * 8 - bits.length));
    while (bits.length % 8 !== 0)
        bits.push(0);
    const data = [];
    for (let i = 0; i < bits.length; i += 8)
        data.push(parseInt(bits.slice(i, i + 8).join(""), 2));
    for (let i = 0; data.length < room; i++)
        data.push(i % 2 === 0 ? 0xec : 0x11);
    let at = 0;
    const blocks = sizes.map((n) => data.slice(at, (at += n)));
    const checks = blocks.map((b) => correction(b, row[0]));
    const out = [];
    for (const lists of [blocks, checks])
        for (let i = 0; i < Math.max(...lists.map((l) => l.length)); i++)
            for (const one of lists)
                if (i < one.length)
                    out.push(one[i]);
    return { version, out };
}

// The remainder of value * x^n by the polynomial: format (BCH 15,5) and version (BCH 18,6).
function bch(value, poly, n) {
    let rest = value << n;
    for (let i = 31 - Math.clz32(rest); i >= n; i = 31 - Math.clz32(rest))
        rest ^= poly << (i - n);
    return value << n | rest;
}

function frame(version) {
    const size = 17 + 4 * version;
    const grid = Array.from({ length: size }, () => new Array(size).fill(null)); // null: free for data
    const square = (row, column, reach, dark) => {
        for (let r = -reach; r <= reach; r++)
            for (let c = -reach; c <= reach; c++)
                if (grid[row + r]?.[column + c] !== undefined)
                    grid[row + r][column + c] = dark(Math.max(Math.abs(r), Math.abs(c)));
    };
    for (const [r, c] of [[3, 3], [3, size - 4], [size - 4, 3]])
        square(r, c, 4, (d) => d !== 2 && d !== 4);
    const list = centres[version - 1];
    for (const r of list)
        for (const c of list)
            if (!((r === 6 && (c === 6 || c === list.at(-1))) || (c === 6 && r === list.at(-1))))
                square(r, c, 2, (d) => d !== 1);
    for (let i = 8; i < size - 8; i++)
        grid[6][i] = grid[i][6] = i % 2 === 0;
    for (let i = 0; i < 9; i++) { // the places of the format
        grid[8][i] ??= false;
        grid[i][8] ??= false;
        if (i < 8) {
            grid[8][size - 1 - i] ??= false;
            grid[size - 1 - i][8] ??= false;
        }
    }
    grid[size - 8][8] = true;
    if (version >= 7) {
        const word = bch(version, 0x1f25, 12);
        for (let i = 0; i < 18; i++)
            grid[Math.floor(i / 3)][size - 11 + i % 3] = grid[size - 11 + i % 3][Math.floor(i / 3)] = (word >> i & 1) === 1;
    }
    return grid;
}

function format(grid, mask) {
    const size = grid.length;
    const word = bch(mask, 0x537, 10) ^ 0x5412; // correction M is 00
    for (let i = 0; i < 15; i++) {
        const dark = (word >> i & 1) === 1;
        grid[i < 6 ? i : i < 8 ? i + 1 : size - 15 + i][8] = dark;
        grid[8][i < 8 ? size - 1 - i : i < 9 ? 7 : 14 - i] = dark;
    }
}

function fill(free, out) {
    const size = free.length;
    const grid = free.map((row) => [...row]);
    let bit = 0;
    for (let right = size - 1, up = true; right > 0; right -= 2, up = !up) {
        if (right === 6)
            right--;
        for (let i = 0; i < size; i++)
            for (const column of [right, right - 1]) {
                const r = up ? size - 1 - i : i;
                if (grid[r][column] === null)
                    grid[r][column] = bit < out.length * 8 && (out[bit >> 3] >> (7 - (bit++ & 7)) & 1) === 1;
            }
    }
    return grid;
}

// How hard a grid is to read (the standard's four rules): the lower the better.
function penalty(grid) {
    const size = grid.length;
    const lines = [...grid, ...grid.map((_, c) => grid.map((row) => row[c]))].map((l) => l.map(Number).join(""));
    let sum = 0;
    for (const line of lines) {
        for (const run of line.match(/0{5,}|1{5,}/g) ?? [])
            sum += run.length - 2;
        for (const pattern of ["00001011101", "10111010000"])
            for (let at = line.indexOf(pattern); at >= 0; at = line.indexOf(pattern, at + 1))
                sum += 40;
    }
    for (let r = 1; r < size; r++)
        for (let c = 1; c < size; c++)
            if (grid[r][c] === grid[r - 1][c] && grid[r][c] === grid[r][c - 1] && grid[r][c] === grid[r - 1][c - 1])
                sum += 3;
    const dark = grid.flat().filter(Boolean).length / (size * size);
    return sum + 10 * Math.floor(Math.abs(dark * 20 - 10));
}

// Rows of true (dark) and false.
export function qrGrid(text) {
    const { version, out } = codewords([...new TextEncoder().encode(text)]);
    const free = frame(version);
    const plain = fill(free, out);
    const masked = masks.map((mask, n) => {
        const grid = plain.map((row, r) => row.map((dark, c) => (free[r][c] === null ? dark !== mask(r, c) : dark)));
        format(grid, n);
        return grid;
    });
    const weights = masked.map(penalty);
    return masked[weights.indexOf(Math.min(...weights))];
}

// With the quiet zone of four modules around it.
export function qrPicture(text, label) {
    const grid = qrGrid(text);
    const size = grid.length + 8;
    const path = grid.flatMap((row, r) => row.map((dark, c) => (dark ? `M${c + 4} ${r + 4}h1v1h-1z` : ""))).join("");
    return svg(
        "svg",
        { viewBox: `0 0 ${size} ${size}`, class: "qr", role: "img", "aria-label": label, "shape-rendering": "crispEdges" },
        svg("rect", { width: size, height: size, fill: "#fff" }),
        svg("path", { d: path, fill: "#000" }),
    );
}
