import { defineConfig } from "tsup"
import { base } from "../../tsup.base.js"

export default defineConfig({
  ...base,
  platform: "neutral",
  external: [/^node:/],
  entry: {
    index: "src/index.ts",
    web: "src/platforms/web.ts",
    "web-popup": "src/platforms/web-popup.ts",
    cli: "src/platforms/cli.ts",
    expo: "src/platforms/expo.ts",
    "react-native": "src/platforms/react-native.ts",
    capacitor: "src/platforms/capacitor.ts",
    electron: "src/platforms/electron.ts",
    react: "src/react.ts",
    diagnose: "src/diagnose.ts",
    hosted: "src/hosted.ts",
    testing: "src/testing/index.ts",
  },
})
