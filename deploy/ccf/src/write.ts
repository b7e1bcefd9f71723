// POST /collaborations/{collaboration}/batches
import type { Request, Response } from "@microsoft/ccf-app/endpoints";

import { accept } from "./accept.js";
import { writer } from "./access.js";
import { answering, collaborationOf } from "./http.js";

export function batches(request: Request): Response {
  return answering(() => {
    writer(request.caller);
    return { body: accept(collaborationOf(request), request.body.arrayBuffer()) };
  });
}
