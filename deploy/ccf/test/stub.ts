// CCF under Node: the library's polyfill, and what it leaves out. A call is a transaction: it has a
// number, a refusal rolls its writes back unless it asked to keep them, and a table knows which
// transaction wrote a key.
import "@microsoft/ccf-app/polyfill.js";
import type { CCF, HistoricalState, KvMap } from "@microsoft/ccf-app/global.js";
import type { AuthnIdentity, Request, Response } from "@microsoft/ccf-app/endpoints.js";

interface PolyfillMap extends KvMap {
  map: Map<string, ArrayBuffer>;
  versions?: Map<string, number>;
}

export const ccf = (globalThis as unknown as { ccf: CCF }).ccf;

const VIEW = 2;
let seqno = 10;
let applyWrites = false;
let claims: ArrayBuffer | null = null;
const maps = ccf.kv as unknown as Record<string, PolyfillMap>;
const names = new Set<string>();

const text = (key: ArrayBuffer) => Buffer.from(key).toString("base64");
const prototype = Object.getPrototypeOf(maps["public:any"]) as PolyfillMap;
const plainSet = prototype.set;
prototype.set = function (this: PolyfillMap, key, value) {
  (this.versions ??= new Map()).set(text(key), seqno);
  return plainSet.call(this, key, value.slice(0)) as KvMap;
};
prototype.getVersionOfPreviousWrite = function (this: PolyfillMap, key) {
  return this.map.has(text(key)) ? this.versions?.get(text(key)) : undefined;
};
ccf.kv = new Proxy(maps, {
  get(target, name: string) {
    names.add(name);
    return target[name];
  },
}) as unknown as CCF["kv"];
ccf.rpc.setApplyWrites = (force) => void (applyWrites = force);
ccf.rpc.setClaimsDigest = (digest) => void (claims = digest);
ccf.consensus.getViewForSeqno = () => VIEW;

type Snapshot = Map<string, { map: Map<string, ArrayBuffer>; versions: Map<string, number> }>;

export function snapshot(): Snapshot {
  return new Map(
    [...names].map((name) => [name, { map: new Map(maps[name]!.map), versions: new Map(maps[name]!.versions) }]),
  );
}

function restore(before: Snapshot): void {
  for (const name of names) {
    maps[name]!.map = before.get(name)?.map ?? new Map();
    maps[name]!.versions = before.get(name)?.versions ?? new Map();
  }
}

/** Forgets everything. */
export function reset(): void {
  restore(new Map());
  delete ccf.historicalState;
}

/** What an endpoint answered. */
export interface Called {
  status: number;
  body: any;
  /** Its transaction's id. */
  transaction: string;
  claims: string | null;
  /** Whether any table differs from before. */
  wrote: boolean;
}

export function call(
  endpoint: (request: Request) => Response,
  caller: AuthnIdentity | undefined,
  given: { params?: Record<string, string>; query?: string; body?: Uint8Array } = {},
): Called {
  seqno += 1;
  applyWrites = false;
  claims = null;
  const before = snapshot();
  const body = new Uint8Array(given.body ?? []).buffer;
  const request = {
    params: given.params ?? {},
    query: given.query ?? "",
    body: { arrayBuffer: () => body },
    caller,
  } as unknown as Request;
  const answer = endpoint(request);
  const status = answer.statusCode ?? 200;
  if (status >= 400 && !applyWrites) restore(before);
  return {
    status,
    body: answer.body,
    transaction: `${VIEW}.${seqno}`,
    claims: claims === null ? null : Buffer.from(claims).toString("hex"),
    wrote: !same(before, snapshot()),
  };
}

function same(a: Snapshot, b: Snapshot): boolean {
  const rows = (snapshot: Snapshot) =>
    [...snapshot].flatMap(([name, { map }]) => [...map].map(([key, value]) => `${name} ${key} ${text(value)}`)).sort();
  return JSON.stringify(rows(a)) === JSON.stringify(rows(b));
}

/** Makes today's tables those of a past transaction, for historical endpoints. */
export function asHistory(transactionId: string, receipt: object): void {
  ccf.historicalState = { transactionId, receipt, kv: ccf.kv } as unknown as HistoricalState;
}

export function put(table: string, key: Uint8Array | string, value: unknown): void {
  const bytes = typeof key === "string" ? ccf.strToBuf(key) : new Uint8Array(key).buffer;
  ccf.kv[table]!.set(bytes, ccf.jsonCompatibleToBuf(value));
}
