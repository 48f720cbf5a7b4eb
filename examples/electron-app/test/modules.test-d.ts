import { electron } from "@pkce/client/electron"
import { app, safeStorage, shell } from "electron"

// A module whose types were not found would be `any`, and everything would be accepted.
// @ts-expect-error
app.isNotThere
// @ts-expect-error
safeStorage.isNotThere
// @ts-expect-error
shell.isNotThere

electron({ app, shell, safeStorage })
electron({ app, shell, safeStorage }, { directory: "elsewhere", name: "work", allowWeakStorage: true })

// @ts-expect-error: without the system's key nothing is encrypted
electron({ app, shell })
// @ts-expect-error: another module
electron({ app, shell: app, safeStorage })
// @ts-expect-error: another module
electron({ app, shell, safeStorage: shell })
// @ts-expect-error: no such option
electron({ app, shell, safeStorage }, { weakStorage: true })
