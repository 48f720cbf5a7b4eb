import { isDeepStrictEqual } from "node:util"
import { none } from "./checks.mjs"

const LIFECYCLE = ["preinstall", "install", "postinstall", "prepare"]

/** What package.json promises to whoever installs it. */
export async function checkManifest({ name, manifest, dependencies }, checks) {
  await checks.run(`${name} depends on ${dependencies.join(", ") || "nothing"}`, () => {
    const found = Object.keys(manifest.dependencies ?? {}).sort()
    if (!isDeepStrictEqual(found, dependencies)) throw new Error(`depends on ${found.join(", ")}`)
    none(["peerDependencies", "optionalDependencies", "bundleDependencies"].filter((key) => manifest[key]))
  })
  await checks.run(`${name} has no side effects and runs no script when it is installed`, () => {
    if (manifest.sideEffects !== false) throw new Error("sideEffects is not false")
    none(LIFECYCLE.filter((script) => manifest.scripts?.[script]))
  })
  await checks.run(`${name} is published in public, with provenance`, () => {
    if (!isDeepStrictEqual(manifest.publishConfig, { access: "public", provenance: true }))
      throw new Error(`publishConfig is ${JSON.stringify(manifest.publishConfig)}`)
    none(["license", "repository", "description", "engines"].filter((key) => !manifest[key]))
  })
}
