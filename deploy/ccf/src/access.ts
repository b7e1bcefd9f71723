// Who may write and who may read: what the consortium's proposals say of users, tokens and members.
import type { AuthnIdentity, JwtAuthnIdentity } from "@microsoft/ccf-app/endpoints";

import { buffer, hex, utf8 } from "./bytes.js";
import { ccf } from "./ccf.js";
import { sha256 } from "./merkle.js";
import { Refusal } from "./refusal.js";
import { Tables } from "./tables.js";

const MEMBERS = "public:ccf.gov.members.info";

export function writer(caller: AuthnIdentity | undefined): void {
  const user = caller?.policy === "user_cert" && "data" in caller && caller.data?.chancery === "writer";
  const token = caller?.policy === "jwt" && "jwt" in caller && role(caller as JwtAuthnIdentity) === "writer";
  if (!user && !token) throw new Refusal("not-a-writer", "the consortium has not let this caller write");
}

export function reader(caller: AuthnIdentity | undefined): void {
  if (caller?.policy === "user_cert") return;
  if (caller?.policy === "jwt" && role(caller as JwtAuthnIdentity) !== null) return;
  if (caller?.policy === "member_cert" && "id" in caller && isActive(caller.id)) return;
  throw new Refusal("not-a-reader", "the consortium has not let this caller read");
}

/** The key of a row in `callers`. */
export function callerId(issuer: string, subject: string): string {
  return hex(sha256(buffer(utf8(`${issuer}\n${subject}`))));
}

/** A token's role. CCF has checked signature, issuer and time; audience and subject are ours. */
function role({ jwt }: JwtAuthnIdentity): "writer" | "reader" | null {
  const { sub, aud } = jwt.payload;
  if (typeof sub !== "string") return null;
  const caller = new Tables().caller(callerId(jwt.keyIssuer, sub));
  const audiences: unknown[] = Array.isArray(aud) ? aud : [aud];
  return caller !== null && audiences.includes(caller.audience) ? caller.role : null;
}

function isActive(member: string): boolean {
  const found = ccf.kv[MEMBERS]!.get(ccf.strToBuf(member));
  return found !== undefined && ccf.bufToJsonCompatible<{ status?: string }>(found).status === "Active";
}
