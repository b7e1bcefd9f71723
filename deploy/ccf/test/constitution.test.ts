import { beforeEach, test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import vm from "node:vm";

import { ccf, reset } from "./stub.js";
import { batch, log, next, push, service, tohex } from "./support.js";
import { callerId } from "../src/access.js";

class Action {
  constructor(
    readonly validate: (args: any) => void,
    readonly apply: (args: any) => void,
  ) {}
}

// What `actions.js` of the default constitution has, as far as ours uses it.
const fail = (message: string) => {
  throw new Error(message);
};
const actions = new Map<string, Action>();
const source = new URL("../../../constitution/chancery.js", import.meta.url);
vm.runInNewContext(readFileSync(source, "utf8"), {
  ccf,
  actions,
  Action,
  Uint8Array,
  getSingletonKvKey: () => new ArrayBuffer(8),
  checkType: (value: unknown, type: string, field: string) => typeof value === type || fail(`${field}: type`),
  checkEnum: (value: unknown, members: unknown[], field: string) => members.includes(value) || fail(`${field}: value`),
});

function propose(name: string, args: object): void {
  const action = actions.get(name);
  assert.ok(action, name);
  action.validate(args);
  action.apply(args);
}
const refuses = (name: string, args: object) => assert.throws(() => actions.get(name)!.validate(args), JSON.stringify(args));
const row = (table: string, key: string): any => {
  const found = ccf.kv[table]!.get(ccf.strToBuf(key));
  return found === undefined ? null : ccf.bufToJsonCompatible(found);
};

beforeEach(reset);

test("what the consortium decides is what the application reads", () => {
  const demo = log("log-demo.cbor");
  assert.equal(push(batch(0, demo)).body.error.code, "not-set-up");
  propose("chancery_set_settings", { store: "entries", rotation: "approve", seals: "each" });
  assert.equal(push(batch(0, demo)).body.error.code, "unknown-key");
  propose("chancery_set_service_key", { name: "chancery.test", key: service.text });
  const rotation = log("log-rotation.cbor");
  assert.equal(push(batch(0, rotation)).body.error.code, "unknown-key");
  propose("chancery_set_service_key", { name: "chancery.test", key: next.text });
  assert.equal(push(batch(0, rotation.slice(0, 3))).status, 200);
  propose("chancery_end_service_key", { key: service.text, status: "revoked" });
  assert.equal(push(batch(3, rotation.slice(3))).body.error.code, "revoked-key");
  assert.equal(row("public:ccf.gov.chancery.keys", tohex(service.id)).name, "chancery.test");
});

test("a key that came by rotation can be revoked", () => {
  propose("chancery_end_service_key", { key: next.text, status: "revoked" });
  assert.deepEqual(row("public:ccf.gov.chancery.keys", tohex(next.id)), { name: "", key: next.text, status: "revoked" });
});

test("tokens' holders come and go", () => {
  const caller = { issuer: "https://login.example", subject: "s", audience: "mirror", role: "writer" };
  propose("chancery_set_caller", caller);
  const id = callerId(caller.issuer, caller.subject);
  assert.deepEqual(row("public:ccf.gov.chancery.callers", id), caller);
  propose("chancery_remove_caller", { issuer: caller.issuer, subject: caller.subject });
  assert.equal(row("public:ccf.gov.chancery.callers", id), null);
});

test("proposals that say nothing sensible are refused", () => {
  const settings = { store: "entries", rotation: "follow", seals: "each" };
  for (const field of ["store", "rotation", "seals"]) {
    for (const bad of ["some", undefined]) refuses("chancery_set_settings", { ...settings, [field]: bad });
  }
  for (const key of ["", "EdDSA:", `EdDSA:${"A".repeat(42)}`, `EdDSA:${"A".repeat(42)}B`, `ES256:${"A".repeat(43)}`, 1]) {
    refuses("chancery_set_service_key", { name: "chancery.test", key });
    refuses("chancery_end_service_key", { key, status: "revoked" });
  }
  for (const name of ["", "a b", "a+b", "a\nb", "x".repeat(256), 1]) {
    refuses("chancery_set_service_key", { name, key: service.text });
  }
  refuses("chancery_end_service_key", { key: service.text, status: "active" });
  const caller = { issuer: "i", subject: "s", audience: "a", role: "writer" };
  for (const bad of [{ issuer: "i\nx" }, { subject: "" }, { audience: undefined }, { role: "owner" }]) {
    refuses("chancery_set_caller", { ...caller, ...bad });
  }
  refuses("chancery_remove_caller", { issuer: "i" });
});

test("the proposals in the folder are of actions that there are", () => {
  for (const name of ["settings", "service-key", "writer", "end-service-key", "token-caller"]) {
    const url = new URL(`../../../proposals/${name}.json`, import.meta.url);
    for (const { name: action, args } of JSON.parse(readFileSync(url, "utf8")).actions) {
      if (action.startsWith("chancery_")) actions.get(action)!.validate(args);
      else assert.equal(action, "set_user");
    }
  }
});
