import { contextBridge, ipcRenderer } from "electron"
import { names } from "./bridge.js"

const calls = names.map((name) => [name, () => ipcRenderer.invoke(name)])
contextBridge.exposeInMainWorld("bridge", {
  ...Object.fromEntries(calls),
  onChange: (listener: () => void) => void ipcRenderer.on("changed", () => listener()),
})
