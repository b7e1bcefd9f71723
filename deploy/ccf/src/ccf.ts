// CCF's runtime. The package gives its types; the object itself is a global of the node, so the
// application is built of our own modules alone.
import type { CCF } from "@microsoft/ccf-app/global";

declare const ccf: CCF;

const runtime: CCF = ccf;

export { runtime as ccf };
