// The OpenAPI document of the local interface against the router and against answers of the running daemon. A small
// checker of its own: what a schema of the document uses is looked at, anything else is an error of the document.
import { readFileSync } from "node:fs";

const known = new Set(["type", "enum", "const", "pattern", "properties", "required", "additionalProperties", "items",
    "oneOf", "anyOf", "$ref", "description", "minimum", "maximum", "maxLength"]);

export class Document {
    constructor(path) {
        this.doc = JSON.parse(readFileSync(path, "utf8"));
        this.seen = new Map(); // "METHOD path" -> statuses
        this.declared = new Map(); // "METHOD /normal/{}" -> operation
        for (const [path_, methods] of Object.entries(this.doc.paths))
            for (const [method, operation] of Object.entries(methods))
                this.declared.set(`${method.toUpperCase()} ${path_.replace(/\{\w+\}/g, "{}")}`, operation);
    }

    follow(node) {
        while (node && node.$ref) {
            if (!node.$ref.startsWith("#/")) throw new Error(`a reference to elsewhere: ${node.$ref}`);
            node = node.$ref.slice(2).split("/").reduce((at, key) => at?.[key], this.doc);
            if (!node) throw new Error("a reference to nothing");
        }
        return node;
    }

    // What is wrong with a value: a list of words, empty when nothing is.
    faults(schema, value, where = "") {
        const s = this.follow(schema);
        const strange = Object.keys(s).filter((key) => !known.has(key));
        if (strange.length) return [`${where}: the document says ${strange}, which nobody checks`];
        if (s.oneOf || s.anyOf) {
            const all = (s.oneOf ?? s.anyOf).map((one) => this.faults(one, value, where));
            const good = all.filter((f) => f.length === 0).length;
            if (good === 0) return [`${where}: none of the shapes (${all.map((f) => f[0]).join("; ")})`];
            return s.oneOf && good > 1 ? [`${where}: more than one of the shapes`] : [];
        }
        if ("const" in s && value !== s.const) return [`${where}: ${JSON.stringify(value)} is not ${s.const}`];
        if (s.enum && !s.enum.includes(value)) return [`${where}: ${JSON.stringify(value)} is not one of ${s.enum}`];
        const type = value === null ? "null" : Array.isArray(value) ? "array" : Number.isInteger(value) ? "integer" : typeof value;
        if (s.type && s.type !== type) return [`${where}: ${type} instead of ${s.type}`];
        if (type === "string") {
            if (s.pattern && !new RegExp(s.pattern).test(value)) return [`${where}: ${JSON.stringify(value)} does not match ${s.pattern}`];
            if (s.maxLength !== undefined && [...value].length > s.maxLength) return [`${where}: too long`];
        }
        if (type === "integer" && (value < (s.minimum ?? -Infinity) || value > (s.maximum ?? Infinity)))
            return [`${where}: ${value} is out of range`];
        if (type === "array" && s.items) return value.flatMap((item, i) => this.faults(s.items, item, `${where}[${i}]`));
        if (type !== "object") return [];
        const found = (s.required ?? []).filter((key) => !(key in value)).map((key) => `${where}.${key} is missing`);
        for (const [key, item] of Object.entries(value)) {
            const inner = s.properties?.[key];
            if (inner) found.push(...this.faults(inner, item, `${where}.${key}`));
            else if (s.additionalProperties === false) found.push(`${where}.${key} is not in the document`);
        }
        return found;
    }

    // An answer to METHOD PATH (as the document writes it); body: text.
    answer(method, path, status, type, body) {
        const key = `${method} ${path.replace(/\{\w+\}/g, "{}")}`;
        const operation = this.declared.get(key);
        if (!operation) return [`${key} is not in the document`];
        this.seen.set(key, [...(this.seen.get(key) ?? []), status]);
        const declared = this.follow(operation.responses[status]);
        if (!declared) return [`${key} answers ${status}, which the document does not say (${body.slice(0, 200)})`];
        const content = declared.content ?? {};
        const media = (type ?? "").split(";")[0];
        if (Object.keys(content).length === 0) return body === "" || status !== 204 ? [] : [`${key}: 204 with a body`];
        if (!(media in content)) return [`${key} ${status}: ${media} instead of ${Object.keys(content)}`];
        return media === "application/json" ? this.faults(content[media].schema, JSON.parse(body), `${key} ${status}`) : [];
    }

    // A body that the test sends must be one that the document allows, unless it is sent to be refused.
    request(method, path, body) {
        const operation = this.declared.get(`${method} ${path.replace(/\{\w+\}/g, "{}")}`);
        const schema = operation?.requestBody?.content?.["application/json"]?.schema;
        return schema ? this.faults(schema, body, `${method} ${path} request`) : [];
    }

    unseen() {
        return [...this.declared.keys()].filter((key) => !this.seen.has(key));
    }
}

// The router's table against the document, both ways.
export function routerFaults(document, source) {
    const rows = [...readFileSync(source, "utf8").matchAll(/^    \{"([A-Z]+)", "(\/[^"]*)", WHO_/gm)];
    const routes = new Set(rows.map((m) => `${m[1]} ${m[2].replace(/\{\w+\}/g, "{}")}`));
    const faults = rows.length < 30 ? ["the router's table cannot be read"] : [];
    for (const route of routes) if (!document.declared.has(route)) faults.push(`${route}: in the router, not in the document`);
    for (const key of document.declared.keys()) if (!routes.has(key)) faults.push(`${key}: in the document, not in the router`);
    return faults;
}

// Alone: only the router against the document (node tests/openapi.mjs).
if (process.argv[1]?.endsWith("openapi.mjs")) {
    const here = new URL("..", import.meta.url).pathname;
    const faults = routerFaults(new Document(`${here}daemon/web/pages/openapi.json`), `${here}daemon/web/route.c`);
    for (const fault of faults) console.log(`FAIL  ${fault}`);
    process.exitCode = faults.length ? 1 : 0;
}
