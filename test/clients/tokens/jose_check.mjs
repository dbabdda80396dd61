// What jose makes of tokens: a line of hex becomes "ok" or "refused".
// Usage: node jose_check.mjs JWKS, the file of the public keys.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { createLocalJWKSet, jwtVerify } from "jose";

const keys = createLocalJWKSet(JSON.parse(readFileSync(process.argv[2], "utf8")));
const rules = { algorithms: ["ES256"], issuer: "kintaraa", audience: "kintaraa" };

for await (const line of createInterface({ input: process.stdin })) {
  const token = Buffer.from(line, "hex").toString("latin1");
  const verdict = await jwtVerify(token, keys, rules).then(() => "ok", () => "refused");
  console.log(verdict);
}
