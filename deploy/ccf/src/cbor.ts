// Deterministic CBOR (RFC 8949 section 4.2.1) of the ledger's data model, read strictly: shortest
// heads, definite lengths, map keys strictly ascending, UTF-8 checked, no tags, floats or other
// simple values, nothing left over. As `ledger/src/codec.rs` reads it.
import { ccf } from "./ccf.js";
import { buffer } from "./bytes.js";

export const DEPTH_MAX = 64;

export const enum Major {
  Uint = 0,
  Nint = 1,
  Bytes = 2,
  Text = 3,
  Array = 4,
  Map = 5,
  Tag = 6,
  Simple = 7,
}

const NULL = 0xf6;

/** Bytes that are not canonical. The caller says what they were to be. */
export class Malformed extends Error {}

export type Value = number | string | boolean | null | Uint8Array | Value[] | Map<number | string, Value>;

export class Reader {
  private at = 0;
  /** Of the head that was read last: kept here, not returned, so that a head makes no garbage. */
  private argument = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get position(): number {
    return this.at;
  }

  /** The head of an item that must be of that type: its number, length or count. */
  head(major: Major): number {
    if (this.anyHead() !== major) throw new Malformed("another type");
    return this.argument;
  }

  /** An unsigned integer of at most 2^53 - 1. */
  uint(): number {
    const value = this.head(Major.Uint);
    if (value > Number.MAX_SAFE_INTEGER) throw new Malformed("a number beyond 2^53 - 1");
    return value;
  }

  byteString(): Uint8Array {
    return this.take(this.head(Major.Bytes));
  }

  text(): string {
    return this.textOf(this.head(Major.Text));
  }

  /** Goes past a byte string or text. */
  over(major: Major.Bytes | Major.Text): void {
    const from = this.at;
    if (this.bytes[from] === undefined || this.bytes[from]! >> 5 !== major) throw new Malformed("another type");
    this.skip();
  }

  /** Whether null comes next; it is then read. */
  isNull(): boolean {
    const found = this.bytes[this.at] === NULL;
    if (found) this.at++;
    return found;
  }

  end(): void {
    if (this.at !== this.bytes.length) throw new Malformed("bytes left over");
  }

  /** Goes past one item of any type. */
  skip(depth: number = DEPTH_MAX): void {
    const major = this.anyHead();
    const argument = this.argument;
    switch (major) {
      case Major.Tag:
        throw new Malformed("a tag");
      case Major.Uint:
      case Major.Nint:
      case Major.Simple:
        return;
      case Major.Bytes:
        this.advance(argument);
        return;
      case Major.Text:
        checkUtf8(this.bytes, this.at, this.advance(argument));
        return;
      case Major.Array:
        this.fits(argument, depth);
        for (let i = 0; i < argument; i++) this.skip(depth - 1);
        return;
      case Major.Map: {
        this.fits(argument, depth);
        let before = -1;
        let end = -1;
        for (let i = 0; i < argument; i++) {
          const key = this.at;
          this.skipKey();
          if (before >= 0 && !this.ascends(before, end, key, this.at)) throw new Malformed("keys out of order");
          before = key;
          end = this.at;
          this.skip(depth - 1);
        }
      }
    }
  }

  /** Reads one item of any type. */
  value(depth: number = DEPTH_MAX): Value {
    const start = this.at;
    const major = this.anyHead();
    const argument = this.argument;
    switch (major) {
      case Major.Tag:
        throw new Malformed("a tag");
      case Major.Uint:
        return argument;
      case Major.Nint:
        return -1 - argument;
      case Major.Bytes:
        return this.take(argument);
      case Major.Text:
        return this.textOf(argument);
      case Major.Simple:
        return argument === 22 ? null : argument === 21;
      case Major.Array: {
        this.fits(argument, depth);
        const items: Value[] = [];
        for (let i = 0; i < argument; i++) items.push(this.value(depth - 1));
        return items;
      }
      case Major.Map: {
        // Once for the order of the keys, then for what they hold.
        const body = this.at;
        this.at = start;
        this.skip(depth);
        this.at = body;
        const map = new Map<number | string, Value>();
        for (let i = 0; i < argument; i++) map.set(this.key(), this.value(depth - 1));
        return map;
      }
    }
  }

  private key(): number | string {
    const major = this.anyHead();
    if (major === Major.Uint) return this.argument;
    if (major === Major.Nint) return -1 - this.argument;
    if (major === Major.Text) return this.textOf(this.argument);
    throw new Malformed("a key of another type");
  }

  private skipKey(): void {
    const major = this.anyHead();
    if (major === Major.Text) checkUtf8(this.bytes, this.at, this.advance(this.argument));
    else if (major !== Major.Uint && major !== Major.Nint) throw new Malformed("a key of another type");
  }

  private ascends(a: number, aEnd: number, b: number, bEnd: number): boolean {
    for (; a < aEnd && b < bEnd; a++, b++) {
      const difference = this.bytes[b]! - this.bytes[a]!;
      if (difference !== 0) return difference > 0;
    }
    return bEnd - b > aEnd - a;
  }

  /** Reads a head: gives its type and leaves its argument. */
  private anyHead(): Major {
    const initial = this.bytes[this.at++];
    if (initial === undefined) throw new Malformed("cut short");
    const major: Major = initial >> 5;
    const info = initial & 31;
    if (info < 24 && major < Major.Tag) {
      this.argument = info;
      return major;
    }
    if (major === Major.Tag) throw new Malformed("a tag");
    if (major === Major.Simple) {
      if (info < 20 || info > 22) throw new Malformed("a float or another simple value");
      this.argument = info;
      return major;
    }
    if (info > 27) throw new Malformed("an indefinite length");
    const length = 1 << (info - 24);
    const from = this.at;
    this.advance(length);
    let argument = 0;
    for (let i = from; i < this.at; i++) argument = argument * 256 + this.bytes[i]!;
    const least = length === 1 ? 24 : 256 ** (length / 2);
    if (argument < least) throw new Malformed("a head longer than needed");
    this.argument = argument;
    return major;
  }

  private fits(count: number, depth: number): void {
    if (depth <= 0) throw new Malformed("nested too deep");
    if (count > this.bytes.length - this.at) throw new Malformed("a count beyond the bytes");
  }

  /** Goes on by `length` bytes and gives the place reached. */
  private advance(length: number): number {
    if (length > this.bytes.length - this.at) throw new Malformed("cut short");
    this.at += length;
    return this.at;
  }

  private take(length: number): Uint8Array {
    const from = this.at;
    return this.bytes.subarray(from, this.advance(length));
  }

  private textOf(length: number): string {
    const from = this.at;
    checkUtf8(this.bytes, from, this.advance(length));
    return ccf.bufToStr(buffer(this.bytes.subarray(from, this.at)));
  }
}

/** Texts shorter than this are looked at byte by byte. */
const WORDS_FROM = 24;
const NOT_ASCII = 0x80808080;

/** UTF-8 as RFC 3629 has it: no overlong forms, surrogates, or code points beyond U+10FFFF. */
function checkUtf8(bytes: Uint8Array, from: number, to: number): void {
  if (to - from >= WORDS_FROM && isAscii(bytes.slice(from, to))) return;
  for (let at = from; at < to; ) {
    const first = bytes[at++]!;
    if (first < 0x80) continue;
    const more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4 || at + more > to) throw new Malformed("not UTF-8");
    const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
    const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
    if (bytes[at]! < low || bytes[at]! > high) throw new Malformed("not UTF-8");
    for (let i = 1; i < more; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) throw new Malformed("not UTF-8");
    at += more;
  }
}

/** Most texts are ASCII, and CCF's engine takes its time for each step: four bytes at once. */
function isAscii(text: Uint8Array): boolean {
  const count = text.length >> 2;
  const words = new Uint32Array(text.buffer, 0, count);
  let seen = 0;
  for (let i = 0; i < count; i++) seen |= words[i]!;
  for (let i = count << 2; i < text.length; i++) seen |= text[i]!;
  return (seen & NOT_ASCII) === 0;
}
