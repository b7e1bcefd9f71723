// Sealed entries, wire version 1 (docs/wire/v1.cddl), as far as the mirror has to understand them:
// all of the structure, and the payload of the two types that bring in a key of the service.
import { DIGEST_LEN, hex } from "./bytes.js";
import { DEPTH_MAX, Major, Malformed, Reader, type Value } from "./cbor.js";
import { Sign1 } from "./cose.js";
import { leafHash } from "./merkle.js";
import { Refusal } from "./refusal.js";

export const SEALED_LEN_MAX = 1 << 20;
const VERSION = 1;
const FIELDS = 11;
const UUID_LEN = 16;
const IN_A_FIELD = DEPTH_MAX - 1;

export interface Entry {
  readonly sealed: Uint8Array;
  readonly leaf: Uint8Array;
  readonly message: Sign1;
  readonly kind: string;
  /** 16 bytes. */
  readonly collaboration: Uint8Array;
  readonly position: number;
  readonly previous: Uint8Array | null;
  /** What it says, of the types that this application acts on; null for all others. */
  readonly key: KeyEvent | null;
}

/** An entry that brings in the service's key. */
export interface KeyEvent {
  readonly payload: Map<number | string, Value>;
  readonly subject: string;
  readonly actor: Actor;
  readonly command: Uint8Array;
  readonly authority: Authority;
}

export interface Actor {
  readonly kind: number;
  readonly id: Uint8Array;
}

/** The kind, and for signed ones the message and the content. */
export interface Authority {
  readonly kind: number;
  readonly message?: Uint8Array;
  readonly content?: Uint8Array;
}

export const ACTOR_SERVICE = 2;
export const AUTHORITY_SERVICE_SIGNED = 4;

/** Reads an entry. Throws a `malformed-entry`; the seal is not checked here. */
export function parseEntry(sealed: Uint8Array): Entry {
  try {
    if (sealed.length > SEALED_LEN_MAX) throw new Malformed("longer than 1 MiB");
    const message = Sign1.parse("application/chancery-entry+cbor", sealed);
    return { sealed, leaf: leafHash(sealed), message, ...fields(message.payload) };
  } catch (error) {
    if (error instanceof Malformed) throw new Refusal("malformed-entry", `not a sealed entry: ${error.message}`);
    throw error;
  }
}

function fields(payload: Uint8Array): Omit<Entry, "sealed" | "leaf" | "message"> {
  const reader = new Reader(payload);
  if (reader.head(Major.Map) !== FIELDS) throw new Malformed("not eleven fields");
  const label = (wanted: number) => {
    if (reader.head(Major.Uint) !== wanted) throw new Malformed(`field ${wanted} is missing`);
  };
  label(1);
  if (reader.uint() !== VERSION) throw new Malformed("another wire version");
  label(2);
  const kind = reader.text();
  label(3);
  const collaboration = ofLength(reader, UUID_LEN);
  label(4);
  const position = reader.uint();
  label(5);
  const previous = reader.isNull() ? null : ofLength(reader, DIGEST_LEN);
  if ((previous === null) !== (position === 0)) throw new Malformed("previous leaf hash and position disagree");
  const acts = kind === "CollaborationCreated" || kind === "ServiceKeyRotated";
  label(6);
  const subject = acts ? reader.text() : (reader.over(Major.Text), "");
  label(7);
  const actor = readActor(reader);
  label(8);
  const command = ofLength(reader, UUID_LEN);
  label(9);
  reader.head(Major.Uint);
  label(10);
  const said = acts ? reader.value(IN_A_FIELD) : (reader.skip(IN_A_FIELD), null);
  label(11);
  const authority = readAuthority(reader);
  reader.end();
  if (acts && !(said instanceof Map)) throw new Malformed("the payload is not a map");
  const key = said instanceof Map ? { payload: said, subject, actor, command, authority } : null;
  return { kind, collaboration, position, previous, key };
}

function ofLength(reader: Reader, length: number): Uint8Array {
  const bytes = reader.byteString();
  if (bytes.length !== length) throw new Malformed(`not ${length} bytes`);
  return bytes;
}

function readActor(reader: Reader): Actor {
  if (reader.head(Major.Array) !== 2) throw new Malformed("the actor");
  const kind = reader.uint();
  if (kind > ACTOR_SERVICE) throw new Malformed("the actor is of an unknown kind");
  return { kind, id: ofLength(reader, kind === 0 ? UUID_LEN : DIGEST_LEN) };
}

function readAuthority(reader: Reader): Authority {
  const parts = reader.head(Major.Array);
  const kind = reader.uint();
  if (parts === 3 && (kind === 0 || kind === 2 || kind === AUTHORITY_SERVICE_SIGNED)) {
    return { kind, message: reader.byteString(), content: reader.byteString() };
  }
  if (parts === 2 && kind === 3) {
    reader.uint();
    return { kind };
  }
  if (parts === 2 && kind === 1) {
    witness(reader);
    return { kind };
  }
  throw new Malformed("the authority is of an unknown kind");
}

/** A verified token: digest, issuer, tenant, subject, key id, action, expected version, content. */
function witness(reader: Reader): void {
  if (reader.head(Major.Map) !== 8) throw new Malformed("the witness");
  for (let label = 1; label <= 8; label++) {
    if (reader.head(Major.Uint) !== label) throw new Malformed("the witness");
    if (label === 1) ofLength(reader, DIGEST_LEN);
    else if (label === 7) reader.isNull() || reader.head(Major.Uint);
    else if (label === 8) reader.over(Major.Bytes);
    else if (label !== 3 || !reader.isNull()) reader.over(Major.Text);
  }
}

/** A collaboration's 16 bytes as its hyphenated text. */
export function uuidText(bytes: Uint8Array): string {
  const digits = hex(bytes);
  return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].join("-");
}
