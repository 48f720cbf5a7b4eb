import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

const PACKAGES = "fastapi, uvicorn, jwt, cryptography"

const PYTHONS = [process.env.PYTHON, "python3", "/usr/bin/python3"]

const pythonWith = (packages: string): string | undefined =>
  PYTHONS.find((program) => program && spawnSync(program, ["-c", `import ${packages}`]).status === 0)

/** A Python with nothing but its own library. */
export const anyPython = pythonWith("sys")

/** A Python that has what requirements.txt names; none where there is no such thing. */
export const python = pythonWith(PACKAGES)

export interface Api {
  /** `GET /me` with an `Authorization` header, or none. */
  me(authorization?: string): Promise<{ status: number; headers: Headers; body: unknown }>
  stop(): Promise<void>
}

/** Runs the service for one issuer, as its reader would, and waits until it listens. */
export async function startApi(issuer: string, audience?: string): Promise<Api> {
  const child = spawn(
    python ?? "python3",
    ["-m", "uvicorn", "main:app", "--host", "127.0.0.1", "--port", "0"],
    {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      env: {
        ...process.env,
        PYTHONDONTWRITEBYTECODE: "1",
        PKCE_URL: issuer,
        ...(audience && { PKCE_SESSION_AUDIENCE: audience }),
      },
      stdio: ["ignore", "ignore", "pipe"],
    },
  )
  const exited = once(child, "exit")
  let output = ""
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.on("data", (chunk) => {
      output += chunk
      const [found] = /http:\/\/127\.0\.0\.1:\d+/.exec(output) ?? []
      if (found) resolve(found)
    })
    child.once("exit", (code) => reject(new Error(`the service ended with ${code}:\n${output}`)))
  })
  return {
    async me(authorization) {
      const response = await fetch(`${url}/me`, { headers: authorization ? { authorization } : {} })
      return { status: response.status, headers: response.headers, body: await response.json() }
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL")
      await exited
    },
  }
}
