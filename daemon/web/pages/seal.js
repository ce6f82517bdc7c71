// PIN and 照合番号B leave the page only sealed to the reader's key of this visit.
//
// P-256 ECDH between a fresh key and the reader's, HKDF-SHA-256 with empty salt and the purpose as info,
// AES-256-GCM with the same info as associated data. Envelope: fresh public key (65 bytes, uncompressed), IV (12),
// ciphertext, tag (16).
const curve = { name: "ECDH", namedCurve: "P-256" };

function infoOf(purpose, visit) {
    const words = new TextEncoder().encode(`uketsuke v1 ${purpose}`);
    const info = new Uint8Array(words.length + 8);
    info.set(words);
    new DataView(info.buffer).setBigUint64(words.length, BigInt(visit), false);
    return info;
}

const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));

// purpose: "pin" or "number-b". digits: Uint8Array of ASCII digits; wiped here, whatever happens.
export async function seal(key, visit, purpose, digits) {
    try {
        const info = infoOf(purpose, visit);
        const reader = await crypto.subtle.importKey("raw", fromBase64(key), curve, false, []);
        const fresh = await crypto.subtle.generateKey(curve, false, ["deriveBits"]);
        const shared = new Uint8Array(await crypto.subtle.deriveBits({ name: "ECDH", public: reader }, fresh.privateKey, 256));
        const material = await crypto.subtle.importKey("raw", shared, "HKDF", false, ["deriveKey"]);
        shared.fill(0);
        const aes = await crypto.subtle.deriveKey(
            { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info },
            material,
            { name: "AES-GCM", length: 256 },
            false,
            ["encrypt"],
        );
        const iv = crypto.getRandomValues(new Uint8Array(12));
        const sealed = new Uint8Array(
            await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: info, tagLength: 128 }, aes, digits),
        );
        const point = new Uint8Array(await crypto.subtle.exportKey("raw", fresh.publicKey));
        const envelope = new Uint8Array(point.length + iv.length + sealed.length);
        envelope.set(point, 0);
        envelope.set(iv, point.length);
        envelope.set(sealed, point.length + iv.length);
        return toBase64(envelope);
    } finally {
        digits.fill(0);
    }
}
