import { spawnSync } from "node:child_process"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { beforeAll, expect, it } from "vitest"

const app = fileURLToPath(new URL("..", import.meta.url))

interface Named {
  $: Record<string, string>
}
interface Native {
  ios: { infoPlist: { CFBundleURLTypes: { CFBundleURLSchemes: string[] }[] } }
  android: {
    manifest: {
      manifest: {
        application: (Named & { activity: (Named & { "intent-filter": Record<string, Named[]>[] })[] })[]
      }
    }
  }
}

/** What the native projects will hold, as Expo's own plugins make it of `app.json`. */
let native: Native

beforeAll(() => {
  const expo = join(dirname(createRequire(join(app, "package.json")).resolve("expo/package.json")), "bin/cli")
  const { stdout, stderr } = spawnSync(process.execPath, [expo, "config", "--type", "introspect", "--json"], {
    cwd: app,
    encoding: "utf8",
    env: { ...process.env, EXPO_OFFLINE: "1", EXPO_NO_TELEMETRY: "1", CI: "1" },
  })
  if (!stdout) throw new Error(stderr)
  native = JSON.parse(stdout)._internal.modResults
})

it("iOS opens the app for the scheme of the redirect URI", () => {
  const schemes = native.ios.infoPlist.CFBundleURLTypes.flatMap((type) => type.CFBundleURLSchemes)
  expect(schemes).toContain("com.example.app")
})

it("Android hands the scheme's links to the activity that runs already, from the browser too", () => {
  const [activity] = native.android.manifest.manifest.application[0]?.activity ?? []
  expect(activity?.$["android:launchMode"]).toBe("singleTask")
  const names = (entries: Named[] = []) => entries.flatMap(({ $ }) => Object.values($))
  const links = activity?.["intent-filter"].find(({ data }) => names(data).includes("com.example.app"))
  expect(names(links?.action)).toEqual(["android.intent.action.VIEW"])
  expect(names(links?.category).sort()).toEqual([
    "android.intent.category.BROWSABLE",
    "android.intent.category.DEFAULT",
  ])
})

it("Android keeps the keychain's values out of its backups", () => {
  const [application] = native.android.manifest.manifest.application
  expect(application?.$["android:dataExtractionRules"]).toBe("@xml/secure_store_data_extraction_rules")
  expect(application?.$["android:fullBackupContent"]).toBe("@xml/secure_store_backup_rules")
})
