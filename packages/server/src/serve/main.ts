#!/usr/bin/env node
import { createRequire } from "node:module"
import { runCommand } from "./command.js"

const { version } = createRequire(import.meta.url)("../package.json") as { version: string }

void runCommand(process.argv.slice(2), version)
