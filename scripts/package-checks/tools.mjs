import { run, tool } from "./checks.mjs"

/** publint and arethetypeswrong, on the tarball. */
export async function checkTools({ name, tarball }, checks) {
  await checks.run(`${name} passes publint --strict`, () => {
    run(process.execPath, [tool("publint"), "run", tarball, "--strict"])
  })
  await checks.run(`${name} passes attw --profile node16`, () => {
    run(process.execPath, [tool("attw"), tarball, "--profile", "node16", "--format", "ascii", "--no-color"])
  })
}
