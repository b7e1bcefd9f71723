// The golden vectors of docs/wire, keys of their seeds, and entries, batches and notes made by hand.
import { createHash, createPrivateKey, type KeyObject, sign } from "node:crypto";
import { readFileSync } from "node:fs";

import { call, put, reset } from "./stub.js";
import { Reader, type Value } from "../src/cbor.js";
import { batches } from "../src/write.js";

const WIRE = new URL("../../../../../docs/wire/vectors/v1/", import.meta.url);
export const vector = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, WIRE)));
export const index = JSON.parse(readFileSync(new URL("index.json", WIRE), "utf8"));

export const COLLABORATION = "01941f29-7c00-700c-8000-000000000001";
export const ORIGIN = `chancery.test/${COLLABORATION}`;
export const collaboration = unhex(COLLABORATION.replaceAll("-", ""));

export function unhex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "hex"));
}
export const tohex = (bytes: Uint8Array | ArrayBuffer) => Buffer.from(new Uint8Array(bytes)).toString("hex");
export const sha256 = (...parts: Uint8Array[]) =>
  new Uint8Array(createHash("sha256").update(Buffer.concat(parts)).digest());
export const leafOf = (sealed: Uint8Array) => sha256(Uint8Array.of(0), sealed);

/** A key that signs, with its written form and id. */
export interface Key {
  private: KeyObject;
  text: string;
  raw: Uint8Array;
  id: Uint8Array;
}

function keyOf(name: string): Key {
  const { seed, public: text } = index.keys[name];
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.from(seed, "hex")]);
  const raw = new Uint8Array(Buffer.from(text.slice("EdDSA:".length), "base64url"));
  return { private: createPrivateKey({ key: der, format: "der", type: "pkcs8" }), text, raw, id: sha256(raw) };
}
export const service = keyOf("service");
export const next = keyOf("service_next");
export const other = keyOf("litware");

/** The log of a vector: its sealed entries. */
export function log(name: string): Uint8Array[] {
  return (new Reader(vector(name)).value() as Uint8Array[]).map((entry) => entry.slice());
}

/** Deterministic CBOR of what tests write. Maps must be given in order. */
export function encode(value: Value): Uint8Array {
  if (value === null) return Uint8Array.of(0xf6);
  if (typeof value === "boolean") return Uint8Array.of(value ? 0xf5 : 0xf4);
  if (typeof value === "number") return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === "string") return bytes(3, new TextEncoder().encode(value));
  if (value instanceof Uint8Array) return bytes(2, value);
  if (Array.isArray(value)) return join(head(4, value.length), ...value.map(encode));
  return join(head(5, value.size), ...[...value].flatMap(([key, held]) => [encode(key), encode(held)]));
}

export function head(major: number, argument: number): Uint8Array {
  const out = Buffer.alloc(9);
  if (argument < 24) return Uint8Array.of((major << 5) | argument);
  const width = argument < 2 ** 8 ? 1 : argument < 2 ** 16 ? 2 : argument < 2 ** 32 ? 4 : 8;
  out[0] = (major << 5) | (24 + Math.log2(width));
  if (width === 8) out.writeBigUInt64BE(BigInt(argument), 1);
  else out.writeUIntBE(argument, 1, width);
  return new Uint8Array(out.subarray(0, 1 + width));
}
const join = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
const bytes = (major: number, held: Uint8Array) => join(head(major, held.length), held);

export function sign1(contentType: string, payload: Uint8Array, key: Key, named: Key = key): Uint8Array {
  const header = encode(new Map<number, Value>([[1, -8], [3, contentType], [4, named.id]]));
  const signed = encode(["Signature1", header, new Uint8Array(), payload]);
  const signature = new Uint8Array(sign(null, signed, key.private));
  return new Uint8Array(Buffer.concat([Uint8Array.of(0xd2), encode([header, new Map(), payload, signature])]));
}

/** The fields of a sealed entry, decoded. */
export function fieldsOf(sealed: Uint8Array): Map<number, Value> {
  const parts = new Reader(sealed.subarray(1)).value() as Uint8Array[];
  return new Reader(parts[2]!).value() as Map<number, Value>;
}

/** A sealed entry with other fields than it had, sealed anew. */
export function resealed(sealed: Uint8Array, changes: [number, Value][], key: Key = service, named: Key = key): Uint8Array {
  const fields = fieldsOf(sealed);
  for (const [label, value] of changes) fields.set(label, value);
  return sign1("application/chancery-entry+cbor", encode(fields), key, named);
}

export function batch(first: number, entries: Uint8Array[], checkpoint: string | null = null): Uint8Array {
  return encode([1, first, entries, checkpoint]);
}

/** The Merkle root of leaves, by the definition of RFC 9162 section 2.1.1. */
export function rootOf(leaves: Uint8Array[]): Uint8Array {
  if (leaves.length === 1) return leaves[0]!;
  let split = 1;
  while (2 * split < leaves.length) split *= 2;
  return sha256(Uint8Array.of(1), rootOf(leaves.slice(0, split)), rootOf(leaves.slice(split)));
}

export function textOf(entries: Uint8Array[], origin = ORIGIN): string {
  return `${origin}\n${entries.length}\n${Buffer.from(rootOf(entries.map(leafOf))).toString("base64")}\n`;
}

export function note(text: string, key: Key = service, name = ORIGIN): string {
  const id = sha256(new TextEncoder().encode(`${name}\n`), Uint8Array.of(1), key.raw).subarray(0, 4);
  const signature = sign(null, Buffer.from(text), key.private);
  return `${text}\n\u2014 ${name} ${Buffer.concat([id, signature]).toString("base64")}\n`;
}

export const WRITER = { policy: "user_cert", id: "w", data: { chancery: "writer" }, cert: "" } as const;
export const READER = { policy: "user_cert", id: "r", data: null, cert: "" } as const;

export const settings = (changes: object = {}) =>
  put("public:ccf.gov.chancery.settings", new Uint8Array(8), {
    store: "entries",
    rotation: "follow",
    seals: "each",
    ...changes,
  });
export const allow = (key: Key, changes: object = {}) =>
  put("public:ccf.gov.chancery.keys", tohex(key.id), {
    name: "chancery.test",
    key: key.text,
    status: "active",
    ...changes,
  });

/** A consortium that has allowed the service's key. */
export function fresh(): void {
  reset();
  settings();
  allow(service);
}

export const push = (body: Uint8Array, id = COLLABORATION) => call(batches, WRITER, { params: { collaboration: id }, body });
