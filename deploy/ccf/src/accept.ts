// What becomes of a batch: every entry is checked against what the log holds, and only then is
// anything written. All or nothing; the one thing that a refusal keeps is the proof of a fork.
import { buffer, equal, hex } from "./bytes.js";
import { Major, Malformed, Reader } from "./cbor.js";
import { ccf } from "./ccf.js";
import { type Entry, parseEntry, uuidText } from "./entry.js";
import { PublicKey } from "./keys.js";
import { Frontier, leafHash, sha256 } from "./merkle.js";
import { checkNote, checkpointText, claimsDigest } from "./note.js";
import { Refusal } from "./refusal.js";
import { rotatedTo } from "./rotation.js";
import { type Batch, type Head, type PastKey, type Settings, Tables } from "./tables.js";

export const BATCH_LEN_MAX = 2 << 20;
export const ENTRIES_MAX = 256;
const VERSION = 1;

export interface Answer extends Omit<Batch, "request"> {
  collaboration: string;
  origin: string;
  /** Of the first time; null in that first answer, which names it in its header. */
  transaction: string | null;
}

interface Request {
  first: number;
  entries: Uint8Array[];
  checkpoint: string | null;
}

export function accept(collaboration: Uint8Array, body: ArrayBuffer): Answer {
  if (body.byteLength > BATCH_LEN_MAX) throw new Refusal("batch-too-large", "more than 2 MiB");
  const request = parse(new Uint8Array(body));
  const tables = new Tables();
  const settings = tables.settings();
  const digest = hex(sha256(body));
  const head = tables.head(collaboration);
  const before = tables.batch(collaboration, request.first);
  if (head !== null && before !== null && before.request === digest) {
    return answer(collaboration, head.origin, before, tables.transactionOf(collaboration, before));
  }
  const size = head?.frontier.size ?? 0;
  if (request.first > size) throw new Refusal("gap", `the log is held up to ${size}, the batch begins at ${request.first}`);
  if (head !== null && request.first < size) throw heldAlready(tables, collaboration, head, request);
  const run = new Run(tables, settings, collaboration, head);
  const last = request.entries.length - 1;
  const entries = request.entries.map((sealed, index) => run.take(sealed, index === last));
  const next = run.head(request.first, request.checkpoint);
  return write(tables, settings, collaboration, entries, next, request, digest);
}

function parse(body: Uint8Array): Request {
  try {
    const reader = new Reader(body);
    if (reader.head(Major.Array) !== 4) throw new Malformed("not four parts");
    if (reader.uint() !== VERSION) throw new Malformed("another version");
    const first = reader.uint();
    const count = reader.head(Major.Array);
    if (count > ENTRIES_MAX) throw new Refusal("batch-too-large", `more than ${ENTRIES_MAX} entries`);
    if (count === 0) throw new Malformed("no entries");
    const entries: Uint8Array[] = [];
    for (let i = 0; i < count; i++) entries.push(reader.byteString());
    const checkpoint = reader.isNull() ? null : reader.text();
    reader.end();
    if (first + count > Number.MAX_SAFE_INTEGER) throw new Malformed("a position beyond 2^53 - 1");
    return { first, entries, checkpoint };
  } catch (error) {
    if (error instanceof Malformed) throw new Refusal("malformed-batch", `not a batch: ${error.message}`);
    throw error;
  }
}

/** The log as the entries of one batch go on with it. Nothing is written here. */
class Run {
  private readonly frontier: Frontier;
  private leaf: Uint8Array | null;
  private origin: string | null;
  private key: PublicKey | null;
  private readonly keys: PastKey[];
  /** The entry of this batch before, where its own seal was not looked at. */
  private vouchedFor: Entry | null = null;

  constructor(
    private readonly tables: Tables,
    private readonly settings: Settings,
    private readonly collaboration: Uint8Array,
    private readonly before: Head | null,
  ) {
    this.frontier = before?.frontier ?? new Frontier(0, []);
    this.leaf = before?.leaf ?? null;
    this.origin = before?.origin ?? null;
    this.key = before?.key ?? null;
    this.keys = [...(before?.keys ?? [])];
    if (this.key !== null) this.refuseRevoked(this.key);
  }

  /**
   * Takes the next entry. Its seal is checked, unless the consortium is content with that of the last
   * one: each entry names the leaf hash of the one before, so that seal is over all of them.
   */
  take(sealed: Uint8Array, last: boolean): Entry {
    const entry = parseEntry(sealed);
    const position = this.frontier.size;
    const key = this.key ?? this.begin(entry);
    const rotates = entry.kind === "ServiceKeyRotated";
    const checked = last || rotates || position === 0 || this.settings.seals !== "last";
    checkNamed(entry, key);
    if (checked) checkSeal(entry, key);
    if (!equal(entry.collaboration, this.collaboration)) {
      throw new Refusal("wrong-collaboration", `position ${position}: the entry is of another log`);
    }
    if (entry.position !== position) {
      throw new Refusal("gap", `position ${position} was due, the entry is of ${entry.position}`);
    }
    if (this.leaf !== null && (entry.previous === null || !equal(entry.previous, this.leaf))) {
      // Only what the service did seal, both of them, proves anything.
      if (this.vouchedFor !== null) checkSeal(this.vouchedFor, key);
      checkSeal(entry, key);
      throw fork(this.tables, this.collaboration, position, this.leaf, sealed);
    }
    if (rotates) this.rotate(entry, key);
    this.vouchedFor = checked ? null : entry;
    this.frontier.append(entry.leaf);
    this.leaf = entry.leaf;
    return entry;
  }

  /** The head after what was taken, its checkpoint checked if there is one. */
  head(first: number, note: string | null): Head {
    const { leaf, origin, key } = this;
    if (leaf === null || origin === null || key === null) throw new Error("nothing was taken");
    const size = this.frontier.size;
    const root = this.frontier.root();
    if (note !== null) checkNote(note, checkpointText(origin, size, root), origin, key);
    const signed = note === null ? (this.before?.signed ?? 0) : size;
    return { origin, frontier: this.frontier, root, leaf, key, keys: this.keys, signed, first };
  }

  /** The key that entry 0 names, which the consortium must have allowed to begin logs. */
  private begin(entry: Entry): PublicKey {
    if (entry.kind !== "CollaborationCreated" || entry.key === null) {
      throw new Refusal("malformed-entry", "a log begins with CollaborationCreated");
    }
    const unknown = new Refusal("unknown-key", "the consortium has not allowed this service and key to begin logs");
    const key = PublicKey.parse(String(entry.key.payload.get("service_key")));
    if (key === null) throw unknown;
    const allowed = this.tables.serviceKey(key);
    if (allowed === null || allowed.name !== entry.key.payload.get("service")) throw unknown;
    this.refuseRevoked(key);
    if (allowed.status !== "active") throw unknown;
    this.origin = `${allowed.name}/${uuidText(this.collaboration)}`;
    this.key = key;
    return key;
  }

  private rotate(entry: Entry, old: PublicKey): void {
    if (entry.key === null) throw new Error("a rotation is read whole");
    const key = rotatedTo(entry, entry.key, old);
    if ([old.text, ...this.keys.map((past) => past.key)].includes(key.text)) {
      throw new Refusal("bad-rotation", `position ${entry.position}: the key sealed this log before`);
    }
    const known = this.tables.serviceKey(key);
    this.refuseRevoked(key);
    if (this.settings.rotation === "approve" && known?.status !== "active") {
      throw new Refusal("unknown-key", "the consortium has not allowed the key that the log goes over to");
    }
    this.keys.push({ key: old.text, last: entry.position });
    this.key = key;
  }

  private refuseRevoked(key: PublicKey): void {
    if (this.tables.serviceKey(key)?.status === "revoked") {
      throw new Refusal("revoked-key", "the consortium has revoked the key in charge");
    }
  }
}

function checkNamed(entry: Entry, key: PublicKey): void {
  if (!entry.message.isBy(key)) {
    throw new Refusal("unsigned-entry", `position ${entry.position}: sealed by another key than the one in charge`);
  }
}

function checkSeal(entry: Entry, key: PublicKey): void {
  checkNamed(entry, key);
  if (!entry.message.verifies(key)) {
    throw new Refusal("bad-seal", `position ${entry.position}: the seal does not verify`);
  }
}

/** What a batch before the head is: the same entries in another cut, or other ones. */
function heldAlready(tables: Tables, collaboration: Uint8Array, head: Head, request: Request): Refusal {
  const size = head.frontier.size;
  for (const [index, sealed] of request.entries.entries()) {
    const position = request.first + index;
    if (position >= size) break;
    const held = heldLeaf(tables, collaboration, position);
    if (equal(leafHash(sealed), held)) continue;
    // Only what the service did seal proves anything.
    const entry = parseEntry(sealed);
    checkSeal(entry, keyAt(head, position));
    if (!equal(entry.collaboration, collaboration)) {
      return new Refusal("wrong-collaboration", `position ${position}: the entry is of another log`);
    }
    if (entry.position !== position) {
      return new Refusal("gap", `position ${position} was due, the entry is of ${entry.position}`);
    }
    return fork(tables, collaboration, position, held, sealed);
  }
  return new Refusal("replay", `the log is held up to ${size}, the batch begins at ${request.first}`);
}

function heldLeaf(tables: Tables, collaboration: Uint8Array, position: number): Uint8Array {
  const leaf = tables.leaf(collaboration, position);
  if (leaf !== null) return leaf;
  const entry = tables.entry(collaboration, position);
  if (entry === null) throw new Error("a held position is empty");
  return leafHash(entry);
}

function keyAt(head: Head, position: number): PublicKey {
  const past = head.keys.find(({ last }) => position <= last);
  const key = past === undefined ? head.key : PublicKey.parse(past.key);
  if (key === null) throw new Error("a stored key is no key");
  return key;
}

/** Keeps the first proof of a fork, and refuses. */
function fork(tables: Tables, collaboration: Uint8Array, position: number, held: Uint8Array, sealed: Uint8Array): Refusal {
  if (tables.fork(collaboration) === null) {
    tables.setFork(collaboration, { position, held: hex(held), offered: hex(sealed) });
    ccf.rpc.setApplyWrites(true);
  }
  return new Refusal("fork", `position ${position}: the service sealed another entry than what is held`);
}

function write(
  tables: Tables,
  settings: Settings,
  collaboration: Uint8Array,
  entries: Entry[],
  head: Head,
  request: Request,
  digest: string,
): Answer {
  const claims = claimsDigest(checkpointText(head.origin, head.frontier.size, head.root));
  for (const { position, sealed, leaf } of entries) {
    if (settings.store === "entries") tables.setEntry(collaboration, position, sealed);
    else tables.setLeaf(collaboration, position, leaf);
  }
  if (request.checkpoint !== null) tables.setCheckpoint(collaboration, head.frontier.size, request.checkpoint);
  const batch: Batch = {
    first: request.first,
    size: head.frontier.size,
    root: hex(head.root),
    claims_digest: hex(claims),
    request: digest,
  };
  tables.setBatch(collaboration, batch);
  tables.setHead(collaboration, head);
  ccf.rpc.setClaimsDigest(buffer(claims));
  return answer(collaboration, head.origin, batch, null);
}

export function answer(collaboration: Uint8Array, origin: string, batch: Batch, transaction: string | null): Answer {
  const { first, size, root, claims_digest } = batch;
  return { collaboration: uuidText(collaboration), origin, first, size, root, claims_digest, transaction };
}
