import { EventEmitter } from "node:events"
import { fileURLToPath } from "node:url"
import { appAcceptance } from "@pkce-examples/local-provider/app/acceptance"
import type { Device } from "@pkce-examples/local-provider/app/device"

function electronOf(device: Device) {
  const app = Object.assign(new EventEmitter(), { getPath: () => device.folder })
  return {
    app,
    shell: {
      async openExternal(url: string) {
        // Windows and Linux: the link is an argument of a second copy, which hands it over.
        void device.browse(url).then((link) => app.emit("second-instance", {}, ["example", "--flag", link]))
      },
    },
    safeStorage: {
      isEncryptionAvailable: () => true,
      encryptString: (plain: string) => turn(Buffer.from(plain)),
      decryptString: (sealed: Buffer) => turn(sealed).toString(),
    },
  }
}

const turn = (bytes: Buffer) => Buffer.from(bytes.map((byte) => byte ^ 0x5a))

appAcceptance("Electron", {
  folder: fileURLToPath(new URL("..", import.meta.url)),
  modules: (device) => ({ electron: electronOf(device) }),
  // JSON of one sealed text, in base64.
  decode: (file) => Buffer.from(String(JSON.parse(file).sealed), "base64").toString(),
})
