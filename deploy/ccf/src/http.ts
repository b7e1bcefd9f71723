// Requests taken apart and answers put together, for every endpoint alike.
import type { Request, Response } from "@microsoft/ccf-app/endpoints";

import { fromHex } from "./bytes.js";
import { Refusal } from "./refusal.js";

/** Runs an endpoint and turns a refusal into CCF's form of an error. */
export function answering(run: () => Response): Response {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { statusCode: error.status, body: { error: { code: error.code, message: error.message } } };
  }
}

/** The collaboration in the path: a hyphenated lower-case UUID, as 16 bytes. */
export function collaborationOf(request: Request): Uint8Array {
  return uuid(request.params["collaboration"] ?? "", "collaboration");
}

export function uuid(text: string, name: string): Uint8Array {
  const hyphenated = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
  const bytes = hyphenated ? fromHex(text.split("-").join("")) : null;
  if (bytes === null) throw malformed(name, "not a hyphenated lower-case UUID");
  return bytes;
}

export function number(text: string, name: string, least: number, most: number): number {
  const value = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : -1;
  if (value < least || value > most) throw malformed(name, `not a number from ${least} to ${most}`);
  return value;
}

/** The parameters of the query; each at most once, and no others than those. */
export function query(request: Request, ...names: string[]): Map<string, string> {
  const found = new Map<string, string>();
  if (request.query === "") return found;
  for (const pair of request.query.split("&")) {
    const [name = "", value = "", more] = pair.split("=");
    if (!names.includes(name) || found.has(name) || more !== undefined) throw malformed(name, "not expected");
    found.set(name, value);
  }
  return found;
}

function malformed(name: string, what: string): Refusal {
  return new Refusal("malformed-request", `${name}: ${what}`);
}
