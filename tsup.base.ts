import type { Options } from "tsup"

/** One entry per subpath, ESM and CJS, types for both; the private protocol package is inlined. */
export const base = {
  format: ["esm", "cjs"],
  target: "es2022",
  splitting: true,
  treeshake: true,
  clean: true,
  sourcemap: false,
  // "node:fs", not "fs": a bundler for the browser must see what it is.
  removeNodeProtocol: false,
  noExternal: ["@pkce/protocol"],
  // The protocol's types are inlined because the tsconfig's "paths" make them source of the package; taken as a
  // dependency (dts.resolve) they would be imported from files that are not there.
  // TypeScript 6 calls an option that tsup sets deprecated.
  dts: { compilerOptions: { ignoreDeprecations: "6.0" } },
} satisfies Options
