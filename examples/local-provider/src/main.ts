import { startLocalProvider } from "./provider.js"
import { settingsOf } from "./settings.js"

const provider = await startLocalProvider()
for (const [name, value] of Object.entries(settingsOf(provider))) console.log(`export ${name}=${value}`)
