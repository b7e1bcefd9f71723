// What a past transaction was, with CCF's receipt. CCF finds it by the request header
// `x-ms-ccf-transaction-id` and answers 202 itself until it has it.
import type { HistoricalState } from "@microsoft/ccf-app/global";
import type { Request, Response } from "@microsoft/ccf-app/endpoints";

import { reader } from "./access.js";
import { buffer, fromBase64, hex } from "./bytes.js";
import { ccf } from "./ccf.js";
import { answering, collaborationOf } from "./http.js";
import { checkpointText, claimsDigest } from "./note.js";
import { Refusal } from "./refusal.js";
import { Tables } from "./tables.js";

const COSE_SIGNATURES = "public:ccf.internal.cose_signatures";

export function receipt(request: Request): Response {
  return answering(() => {
    reader(request.caller);
    const collaboration = collaborationOf(request);
    const state = past();
    const tables = new Tables(state.kv);
    const head = tables.head(collaboration);
    const none = new Refusal("not-a-batch", "the transaction is not a batch of this log");
    if (head === null) throw none;
    const text = checkpointText(head.origin, head.frontier.size, head.root);
    const claims = hex(claimsDigest(text));
    const batch = tables.batch(collaboration, head.first);
    if (batch === null || state.receipt.leaf_components?.claims_digest !== claims) throw none;
    const { first, size, root, claims_digest } = batch;
    return {
      body: {
        transaction: state.transactionId,
        batch: { first, size, root, claims_digest },
        text,
        receipt: state.receipt,
      },
    };
  });
}

export function signature(request: Request): Response {
  return answering(() => {
    reader(request.caller);
    const state = past();
    const isSignature = "is_signature_transaction" in state.receipt && state.receipt.is_signature_transaction === true;
    const cose = isSignature ? state.kv[COSE_SIGNATURES]!.get(new ArrayBuffer(8)) : undefined;
    if (cose === undefined) throw new Refusal("not-a-signature", "the transaction is not one of CCF's signatures");
    // The table holds JSON: the message as a base64 text.
    const message = fromBase64(ccf.bufToJsonCompatible<string>(cose));
    if (message === null) throw new Error("CCF's signature is not base64");
    return { headers: { "content-type": "application/cose" }, body: buffer(message) };
  });
}

function past(): HistoricalState {
  const state = ccf.historicalState;
  if (state === undefined) throw new Error("not a historical endpoint");
  return state;
}
