// Puts the built modules and app.json together: dist/bundle.json, and dist/set_js_app.json, the
// proposal that installs it. In app.json an endpoint's "@" names the options that it shares.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { endpoints, "@": shared } = JSON.parse(readFileSync(join(root, "app.json"), "utf8"));
for (const methods of Object.values(endpoints)) {
  for (const endpoint of Object.values(methods)) {
    Object.assign(endpoint, shared[endpoint["@"]], shared.all);
    delete endpoint["@"];
  }
}
const built = join(root, "build", "src");
const modules = readdirSync(built)
  .filter((name) => name.endsWith(".js"))
  .sort()
  .map((name) => ({ name, module: readFileSync(join(built, name), "utf8") }));
const bundle = { metadata: { endpoints }, modules };
const proposal = { actions: [{ name: "set_js_app", args: { bundle, disable_bytecode_cache: false } }] };

mkdirSync(join(root, "dist"), { recursive: true });
for (const [name, value] of Object.entries({ bundle, set_js_app: proposal })) {
  writeFileSync(join(root, "dist", `${name}.json`), JSON.stringify(value));
}
console.log(`dist/bundle.json: ${modules.length} modules`);
