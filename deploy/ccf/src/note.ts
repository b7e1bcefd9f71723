// Checkpoints as signed notes (https://c2sp.org/signed-note, https://c2sp.org/tlog-checkpoint).
import { base64, buffer, concat, equal, fromBase64, utf8 } from "./bytes.js";
import { PublicKey } from "./keys.js";
import { sha256 } from "./merkle.js";
import { Refusal } from "./refusal.js";

/** Longest note, and most signature lines: as in `ledger/src/note.rs`. */
export const NOTE_LEN_MAX = 64 << 10;
export const SIGNATURES_MAX = 64;
const ED25519 = 0x01;
const KEY_ID_LEN = 4;
const DASH = "\u2014 ";

/** The three lines of a checkpoint, which the claims digest is over. */
export function checkpointText(origin: string, size: number, root: Uint8Array): string {
  return `${origin}\n${size}\n${base64(root)}\n`;
}

export function claimsDigest(text: string): Uint8Array {
  return sha256(buffer(utf8(text)));
}

/** Checks that `note` is the checkpoint of that text, and that `key` signed it for its origin. */
export function checkNote(note: string, text: string, origin: string, key: PublicKey): void {
  const bad = (what: string) => new Refusal("bad-checkpoint", `not a signed checkpoint: ${what}`);
  if (utf8(note).length > NOTE_LEN_MAX) throw bad("longer than 64 KiB");
  if (/[\u0000-\u0009\u000b-\u001f]/.test(note)) throw bad("a control character");
  const blank = note.lastIndexOf("\n\n");
  if (blank < 0 || !note.endsWith("\n")) throw bad("no signature lines");
  const body = note.slice(0, blank + 1);
  const lines = note.slice(blank + 2, -1).split("\n");
  if (lines.length > SIGNATURES_MAX) throw bad("too many signature lines");
  if (!/^[^\n]+\n(0|[1-9][0-9]*)\n[A-Za-z0-9+/=]{44}\n$/.test(body)) throw bad("not three lines");
  const signatures = lines.map((line) => parseLine(line) ?? raise(bad("a signature line")));
  if (body !== text) {
    throw new Refusal("checkpoint-of-another-state", "the checkpoint is not of what the entries add up to");
  }
  const wanted = keyId(origin, key);
  const ours = signatures.filter(({ name, id }) => name === origin && equal(id, wanted));
  const message = buffer(utf8(body));
  if (ours.length === 0 || !ours.every(({ signature }) => key.verifies(signature, message))) {
    throw new Refusal("unsigned-checkpoint", "no line of the key in charge verifies");
  }
}

function raise(error: Error): never {
  throw error;
}

function parseLine(line: string): { name: string; id: Uint8Array; signature: Uint8Array } | null {
  if (!line.startsWith(DASH)) return null;
  const space = line.lastIndexOf(" ");
  const name = line.slice(DASH.length, space);
  const bytes = fromBase64(line.slice(space + 1));
  if (space < DASH.length || name === "" || bytes === null || bytes.length < KEY_ID_LEN) return null;
  return { name, id: bytes.subarray(0, KEY_ID_LEN), signature: bytes.subarray(KEY_ID_LEN) };
}

/** `SHA-256(name || LF || type || key)[:4]`. */
function keyId(name: string, key: PublicKey): Uint8Array {
  return sha256(buffer(concat(utf8(`${name}\n`), Uint8Array.of(ED25519), key.bytes))).subarray(0, KEY_ID_LEN);
}
