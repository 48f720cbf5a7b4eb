import { join } from "node:path"
import { app, BrowserWindow, ipcMain } from "electron"
import { actions } from "./actions.js"
import { auth } from "./auth.js"
import { names } from "./bridge.js"

let page: BrowserWindow | undefined

// The link of a login that comes back starts a second copy on Windows and Linux: it hands the link over and ends.
if (!app.requestSingleInstanceLock()) app.quit()
app.setAsDefaultProtocolClient("com.example.app")
app.on("second-instance", () => page?.focus())
app.on("window-all-closed", () => app.quit())

for (const name of names) {
  // Only the page's own frame is answered, and an error crosses as its code.
  ipcMain.handle(name, (event) => {
    if (event.senderFrame !== page?.webContents.mainFrame) return "forbidden"
    return actions[name]().catch((error: { code?: string }) => error.code ?? "failed")
  })
}

app.whenReady().then(async () => {
  page = new BrowserWindow({
    width: 420,
    height: 560,
    webPreferences: { preload: join(__dirname, "preload.cjs"), sandbox: true, contextIsolation: true },
  })
  // Nothing from elsewhere is ever shown in this window: the provider's page belongs to the system's browser.
  page.webContents.setWindowOpenHandler(() => ({ action: "deny" }))
  page.webContents.on("will-navigate", (event) => event.preventDefault())
  auth.subscribe(() => page?.webContents.send("changed"))
  await auth.restore().catch((error: { code?: string }) => console.error(error.code ?? "failed"))
  await page.loadFile(join(__dirname, "index.html"))
})
