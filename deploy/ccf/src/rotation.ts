// A service's key is followed by another in the log itself (docs/adr/0008): the entry is sealed by
// the old key, and the command in it is signed by the new one, for this log and the old key.
import { buffer, equal } from "./bytes.js";
import { Major, Malformed, Reader } from "./cbor.js";
import { Sign1 } from "./cose.js";
import { ACTOR_SERVICE, AUTHORITY_SERVICE_SIGNED, type Entry, type KeyEvent, uuidText } from "./entry.js";
import { PublicKey } from "./keys.js";
import { sha256 } from "./merkle.js";
import { Refusal } from "./refusal.js";

const ACTION = "service.rotate-key";

/** The new key of a `ServiceKeyRotated` whose seal by `old` was checked. Throws a `bad-rotation`. */
export function rotatedTo(entry: Entry, event: KeyEvent, old: PublicKey): PublicKey {
  const bad = (what: string) => new Refusal("bad-rotation", `position ${entry.position}: ${what}`);
  const { authority, actor } = event;
  const key = PublicKey.parse(String(event.payload.get("key")));
  if (key === null) throw bad("the new key is not an Ed25519 key");
  if (authority.kind !== AUTHORITY_SERVICE_SIGNED || authority.message === undefined || authority.content === undefined) {
    throw bad("not a command of the service");
  }
  const subject = `collaboration/${uuidText(entry.collaboration)}`;
  if (event.subject !== subject) throw bad("about another subject");
  if (actor.kind !== ACTOR_SERVICE || !equal(actor.id, key.id)) throw bad("another actor than the new key");
  try {
    const message = Sign1.parse("application/chancery-service-command+cbor", authority.message);
    if (!message.verifies(key)) throw bad("the new key did not sign");
    const command = new Reader(message.payload).value();
    const content = new Reader(authority.content);
    const said = content.value();
    content.end();
    const signed = command instanceof Map ? command : new Map();
    const is = (label: number, value: unknown) => signed.get(label) === value;
    const isBytes = (label: number, bytes: Uint8Array) => {
      const found: unknown = signed.get(label);
      return found instanceof Uint8Array && equal(found, bytes);
    };
    checkLength(message.payload, signed.size);
    if (!is(1, 1) || !isBytes(2, old.id)) throw bad("signed for another key in charge");
    if (!isBytes(3, entry.collaboration)) throw bad("signed for another log");
    if (!is(4, ACTION) || !is(5, subject)) throw bad("another command");
    if (!isBytes(6, sha256(buffer(authority.content)))) throw bad("signed for another content");
    if (!isBytes(8, event.command)) throw bad("signed for another command id");
    if (!(said instanceof Map) || said.get("key") !== key.text) throw bad("the content names another key");
  } catch (error) {
    if (error instanceof Malformed) throw bad(error.message);
    throw error;
  }
  return key;
}

/** A signed command has nine fields and nothing after them. */
function checkLength(payload: Uint8Array, fields: number): void {
  const reader = new Reader(payload);
  if (fields !== 9 || reader.head(Major.Map) !== 9) throw new Malformed("not nine fields");
  const whole = new Reader(payload);
  whole.skip();
  whole.end();
}
