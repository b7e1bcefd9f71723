// The application's tables in CCF's store, all in clear: docs/wire/mirror.md.
import type { KvMap, KvMaps } from "@microsoft/ccf-app/global";

import { buffer, concat, fromHex, hex, u64, utf8 } from "./bytes.js";
import { ccf } from "./ccf.js";
import { PublicKey } from "./keys.js";
import { Frontier } from "./merkle.js";
import { Refusal } from "./refusal.js";

export const HEADS = "public:chancery.heads";
const ENTRIES = "public:chancery.entries";
const LEAVES = "public:chancery.leaves";
const BATCHES = "public:chancery.batches";
const CHECKPOINTS = "public:chancery.checkpoints";
const FORKS = "public:chancery.forks";
const KEYS = "public:ccf.gov.chancery.keys";
const SETTINGS = "public:ccf.gov.chancery.settings";
const CALLERS = "public:ccf.gov.chancery.callers";

/** A key of before, and the position of the last entry that it sealed. */
export interface PastKey {
  readonly key: string;
  readonly last: number;
}

/** What is known of a log. */
export interface Head {
  readonly origin: string;
  readonly frontier: Frontier;
  readonly root: Uint8Array;
  /** Of the newest entry. */
  readonly leaf: Uint8Array;
  /** The key in charge: it would seal the next entry. */
  readonly key: PublicKey;
  readonly keys: readonly PastKey[];
  /** Size of the newest signed checkpoint, or 0. */
  readonly signed: number;
  /** First position of the newest batch. */
  readonly first: number;
}

interface StoredHead {
  origin: string;
  size: number;
  root: string;
  leaf: string;
  frontier: string[];
  key: string;
  keys: PastKey[];
  signed: number;
  first: number;
}

/** An accepted batch. */
export interface Batch {
  first: number;
  size: number;
  root: string;
  claims_digest: string;
  request: string;
}

export interface Fork {
  position: number;
  held: string;
  offered: string;
}

export interface Settings {
  store: "entries" | "digests";
  rotation: "follow" | "approve";
  seals: "each" | "last";
}

export interface ServiceKey {
  name: string;
  key: string;
  status: "active" | "retired" | "revoked";
}

export interface Caller {
  issuer: string;
  subject: string;
  audience: string;
  role: "writer" | "reader";
}

export function json<T>(value: T): ArrayBuffer {
  return ccf.jsonCompatibleToBuf(value);
}

function read<T>(map: KvMap, key: Uint8Array): T | null {
  const found = map.get(buffer(key));
  return found === undefined ? null : (ccf.bufToJsonCompatible(found) as T);
}

/** A store of CCF: the one of today, or that of a past transaction. */
export class Tables {
  constructor(private readonly kv: KvMaps = ccf.kv) {}

  private table(name: string): KvMap {
    return this.kv[name]!;
  }

  head(collaboration: Uint8Array): Head | null {
    const stored = read<StoredHead>(this.table(HEADS), collaboration);
    if (stored === null) return null;
    const key = PublicKey.parse(stored.key);
    if (key === null) throw new Error("a stored key is no key");
    const bytes = (text: string) => {
      const read = fromHex(text);
      if (read === null) throw new Error("a stored digest is not hex");
      return read;
    };
    return {
      ...stored,
      key,
      frontier: new Frontier(stored.size, stored.frontier.map(bytes)),
      root: bytes(stored.root),
      leaf: bytes(stored.leaf),
    };
  }

  setHead(collaboration: Uint8Array, head: Head): void {
    const stored: StoredHead = {
      origin: head.origin,
      size: head.frontier.size,
      root: hex(head.root),
      leaf: hex(head.leaf),
      frontier: head.frontier.subtrees.map(hex),
      key: head.key.text,
      keys: [...head.keys],
      signed: head.signed,
      first: head.first,
    };
    this.table(HEADS).set(buffer(collaboration), json(stored));
  }

  collaborations(): Uint8Array[] {
    const found: Uint8Array[] = [];
    this.table(HEADS).forEach((_, key) => found.push(new Uint8Array(key)));
    return found;
  }

  entry(collaboration: Uint8Array, position: number): Uint8Array | null {
    return this.at(ENTRIES, collaboration, position);
  }

  setEntry(collaboration: Uint8Array, position: number, sealed: Uint8Array): void {
    this.table(ENTRIES).set(place(collaboration, position), buffer(sealed));
  }

  leaf(collaboration: Uint8Array, position: number): Uint8Array | null {
    return this.at(LEAVES, collaboration, position);
  }

  setLeaf(collaboration: Uint8Array, position: number, leaf: Uint8Array): void {
    this.table(LEAVES).set(place(collaboration, position), buffer(leaf));
  }

  batch(collaboration: Uint8Array, first: number): Batch | null {
    return read(this.table(BATCHES), concat(collaboration, u64(first)));
  }

  setBatch(collaboration: Uint8Array, batch: Batch): void {
    this.table(BATCHES).set(place(collaboration, batch.first), json(batch));
  }

  /** The transaction that wrote a batch; null while the view can't be told. */
  transactionOf(collaboration: Uint8Array, batch: Batch): string | null {
    const seqno = this.table(BATCHES).getVersionOfPreviousWrite(place(collaboration, batch.first));
    if (seqno === undefined) return null;
    const view = ccf.consensus.getViewForSeqno(seqno);
    return view === null ? null : `${view}.${seqno}`;
  }

  checkpoint(collaboration: Uint8Array, size: number): string | null {
    const note = this.at(CHECKPOINTS, collaboration, size);
    return note === null ? null : ccf.bufToStr(buffer(note));
  }

  setCheckpoint(collaboration: Uint8Array, size: number, note: string): void {
    this.table(CHECKPOINTS).set(place(collaboration, size), buffer(utf8(note)));
  }

  fork(collaboration: Uint8Array): Fork | null {
    return read(this.table(FORKS), collaboration);
  }

  setFork(collaboration: Uint8Array, fork: Fork): void {
    this.table(FORKS).set(buffer(collaboration), json(fork));
  }

  /** What the consortium decided; a `not-set-up` where it has not. */
  settings(): Settings {
    const found = read<Settings>(this.table(SETTINGS), new Uint8Array(8));
    if (found === null) throw new Refusal("not-set-up", "the consortium has made no settings");
    return found;
  }

  serviceKey(key: PublicKey): ServiceKey | null {
    return read(this.table(KEYS), utf8(hex(key.id)));
  }

  caller(id: string): Caller | null {
    return read(this.table(CALLERS), utf8(id));
  }

  private at(table: string, collaboration: Uint8Array, position: number): Uint8Array | null {
    const found = this.table(table).get(place(collaboration, position));
    return found === undefined ? null : new Uint8Array(found);
  }
}

function place(collaboration: Uint8Array, position: number): ArrayBuffer {
  return buffer(concat(collaboration, u64(position)));
}
