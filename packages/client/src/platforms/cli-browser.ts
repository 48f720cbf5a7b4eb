import { spawn } from "node:child_process"

// No shell takes part, so nothing in the URL can become a command. (`start` of Windows would need one.)
const COMMANDS: Partial<Record<NodeJS.Platform, string[]>> = {
  darwin: ["open"],
  win32: ["rundll32", "url.dll,FileProtocolHandler"],
}

/** Opens the system's browser; where there is none, asks the user to open the URL. */
export function openSystemBrowser(url: string): Promise<void> {
  // What does not begin like this could be read as an option, or start another program.
  if (!/^https?:\/\//.test(url)) return Promise.reject(new TypeError("not a web address"))
  const [command = "", ...first] = COMMANDS[process.platform] ?? ["xdg-open"]
  return new Promise((resolve) => {
    const child = spawn(command, [...first, url], { detached: true, stdio: "ignore" })
    child.once("error", () => {
      process.stderr.write(`Open this page in your browser:\n${url}\n`)
      resolve()
    })
    child.once("spawn", () => {
      child.unref()
      resolve()
    })
  })
}
