import { test } from "node:test";
import assert from "node:assert/strict";

import "./stub.js";
import { encode, head, unhex } from "./support.js";
import { DEPTH_MAX, Malformed, Reader } from "../src/cbor.js";
import { base64, fromBase64, fromBase64Url, fromHex, hex, u64 } from "../src/bytes.js";
import { PublicKey } from "../src/keys.js";

const reads = (bytes: Uint8Array): boolean => {
  const verdict = (read: (reader: Reader) => unknown) => {
    const reader = new Reader(bytes);
    try {
      read(reader);
      reader.end();
      return true;
    } catch (error) {
      if (error instanceof Malformed) return false;
      throw error;
    }
  };
  const both = [verdict((reader) => reader.value()), verdict((reader) => reader.skip())];
  assert.equal(both[0], both[1], `reading and going past agree: ${hex(bytes)}`);
  return both[0]!;
};

test("the canonical forms are read and no others", () => {
  const cases: [string, boolean][] = [
    ["00", true], ["17", true], ["1818", true], ["190100", true], ["1a00010000", true], ["1b0000000100000000", true],
    ["1bffffffffffffffff", true], ["20", true], ["3bffffffffffffffff", true], ["40", true], ["60", true],
    ["f4", true], ["f5", true], ["f6", true], ["80", true], ["a0", true], ["a201010202", true], ["a2016161026162", true],
    ["a2616101626161f6", true], ["a220012101", true], ["a2200161610a", true],
    ["0100", false], ["1801", false], ["1817", false], ["190001", false], ["1900ff", false], ["1a0000ffff", false],
    ["1b00000000ffffffff", false], ["9f01ff", false], ["7f6161ff", false], ["5f4101ff", false], ["bf0101ff", false],
    ["a201010102", false], ["a202010101", false], ["a26261610161610a", false], ["a221012001", false],
    ["f93c00", false], ["fb3ff0000000000000", false], ["c101", false], ["a1410101", false], ["a1f601", false],
    ["f7", false], ["f8ff", false], ["f0", false], ["1c", false], ["ff", false],
    ["", false], ["5bffffffffffffffff", false], ["9bffffffffffffffff", false], ["bb00000001ffffffff", false],
    ["61ff", false], ["62c328", false], ["62c0af", false], ["63eda080", false], ["64f4908080", false], ["61c3", false],
    ["62c3a9", true], ["63e282ac", true], ["64f09f9880", true], ["64f0808080", false], ["63e08080", false],
    ["8201", false], ["a101", false], ["4201", false],
  ];
  for (const [text, taken] of cases) assert.equal(reads(unhex(text)), taken, text);
});

test("nesting is bounded", () => {
  for (const [depth, taken] of [[DEPTH_MAX, true], [DEPTH_MAX + 1, false], [100_000, false]] as const) {
    assert.equal(reads(Uint8Array.of(...Array(Math.min(depth, 1000)).fill(0x81), 0x01)), taken, `${depth}`);
    const maps = Uint8Array.from([...Array(Math.min(depth, 1000)).fill([0xa1, 0x01]).flat(), 0x01]);
    assert.equal(reads(maps), taken, `${depth} maps`);
  }
});

test("what is written is read", () => {
  const value = new Map<number | string, any>([
    [1, [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, -1, -25]],
    [-1, Uint8Array.of(1, 2)],
    ["a", null],
    ["b", true],
    ["aa", "é€😀"],
  ]);
  const bytes = encode(value);
  assert.ok(reads(bytes));
  assert.deepEqual(new Reader(bytes).value(), value);
});

test("numbers beyond 2^53 - 1 are no positions", () => {
  assert.equal(new Reader(head(0, 2 ** 53 - 1)).uint(), 2 ** 53 - 1);
  assert.throws(() => new Reader(head(0, 2 ** 53)).uint(), Malformed);
});

test("written forms go both ways, and only the one form is read", () => {
  for (let length = 0; length < 70; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + length) & 255);
    assert.equal(base64(bytes), Buffer.from(bytes).toString("base64"));
    assert.deepEqual(fromBase64(base64(bytes)), bytes);
    assert.deepEqual(fromBase64Url(Buffer.from(bytes).toString("base64url")), bytes);
    assert.deepEqual(fromHex(hex(bytes)), bytes);
  }
  for (const bad of ["A", "AA", "AAA", "AB==", "AAB=", "AA=A", "====", "AA-_", "AA A", "AAAA\n"]) {
    assert.equal(fromBase64(bad), null, bad);
  }
  for (const bad of ["A", "AB", "AA==", "AA+/"]) assert.equal(fromBase64Url(bad), null, bad);
  for (const bad of ["0", "0G", "AB", "0x"]) assert.equal(fromHex(bad), null, bad);
  assert.equal(hex(u64(2 ** 53 - 1)), "001fffffffffffff");
});

test("keys of small order, and of other algorithms and lengths, are no keys", () => {
  const text = (bytes: Uint8Array) => `EdDSA:${Buffer.from(bytes).toString("base64url")}`;
  const point = (first: number, last: number) => Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? first : i === 31 ? last : 0));
  for (const bad of [point(0, 0), point(1, 0), point(1, 0x80), point(0, 0x80)]) assert.equal(PublicKey.parse(text(bad)), null);
  assert.notEqual(PublicKey.parse(text(point(2, 0))), null);
  for (const bad of ["", "EdDSA:", text(new Uint8Array(31)), `ES256:${"A".repeat(43)}`, "undefined"]) {
    assert.equal(PublicKey.parse(bad), null);
  }
});
