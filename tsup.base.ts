import type { Options } from "tsup"

/** One entry per subpath, ESM and CJS, types for both; the private protocol package is inlined. */
export const base = {
  format: ["esm", "cjs"],
  target: "es2022",
  splitting: true,
  treeshake: true,
  clean: true,
  sourcemap: false,
  noExternal: ["@pkce/protocol"],
  dts: {
    resolve: ["@pkce/protocol"],
    // TypeScript 6 calls an option that tsup sets deprecated.
    compilerOptions: { ignoreDeprecations: "6.0" },
  },
} satisfies Options
