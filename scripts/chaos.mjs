import { spawnSync } from "node:child_process"
import { parseArgs } from "node:util"

// The proofs of the session line, for longer than the tests can take:
//   npm run chaos -- --seconds 60 --clients 300 --runs 25
// `runs` multiplies the stories of the command model. The same code, with the same promises, as in `npm test`.
const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    clients: { type: "string", default: "300" },
    runs: { type: "string", default: "25" },
    only: { type: "string" },
  },
})

const vitest = ["vitest", "run", "--config", "vitest.workspace.ts", "--project", "packages"]
const suites = ["packages/server/test/chaos", "packages/server/test/line-model", "packages/server/test/model"]
const only = values.only ? ["-t", values.only] : []
const { status } = spawnSync("npx", [...vitest, ...suites, ...only], {
  stdio: "inherit",
  env: {
    ...process.env,
    CHAOS_SECONDS: values.seconds,
    CHAOS_CLIENTS: values.clients,
    MODEL_FACTOR: values.runs,
  },
})
process.exit(status ?? 1)
