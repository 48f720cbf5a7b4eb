import { createHash, randomBytes } from "node:crypto"
import { run } from "../packages/client/test/engines/flow.js"

// The flow that every engine runs, in a runtime that has modules and finds the packages by itself.

const sha256 = (data: Uint8Array) => new Uint8Array(createHash("sha256").update(data).digest())
console.log(JSON.stringify(await run({ random: (length) => randomBytes(length), sha256 })))
