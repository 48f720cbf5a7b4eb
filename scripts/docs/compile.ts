import { join } from "node:path"
import ts from "typescript"
import client from "../../packages/client/tsup.config.js"
import server from "../../packages/server/tsup.config.js"
import { type Block, root } from "./markdown.js"

/** Specifier to source file, from the same entries that the build is made of. */
function sources(): Record<string, string[]> {
  const entries = (folder: string, config: unknown) =>
    Object.entries((config as { entry: Record<string, string> }).entry).map(([name, file]) => {
      const specifier = name === "index" ? `@pkce/${folder}` : `@pkce/${folder}/${name}`
      return [specifier, [join(root, "packages", folder, file)]]
    })
  return Object.fromEntries([
    ...entries("client", client),
    ...entries("server", server),
    ["#crypto", [join(root, "packages/server/src/runtime/crypto.node.ts")]],
    ["#http", [join(root, "packages/server/src/runtime/http.node.ts")]],
  ])
}

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  lib: ["lib.es2022.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  moduleDetection: ts.ModuleDetectionKind.Force,
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
  noEmit: true,
  types: ["node"],
  paths: sources(),
}

/** Modules that a phone's app has and this repository has not: what is imported from them is of any type. */
const FOREIGN = [
  "@aparajita/capacitor-secure-storage",
  "@capacitor/*",
  "@react-native-async-storage/async-storage",
  "electron",
  "expo-*",
  "react-native",
  "react-native-*",
]
const FOREIGN_FILE = join(root, "docs.foreign.d.ts")
const foreign = FOREIGN.map((name) => `declare module "${name}"`).join("\n")

const fileOf = ({ page, line }: Block) => join(root, `${page}.${line}.ts`)

/** One program of all blocks, each a module of its own, resolved as if it stood beside its page. */
export function program(blocks: Block[]): ts.Program {
  const virtual = new Map([
    ...blocks.map((block) => [fileOf(block), block.code] as const),
    [FOREIGN_FILE, foreign],
  ])
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile, getSourceFile } = host
  host.fileExists = (name) => virtual.has(name) || fileExists(name)
  host.readFile = (name) => virtual.get(name) ?? readFile(name)
  host.getSourceFile = (name, target, ...rest) => {
    const code = virtual.get(name)
    return code === undefined ? getSourceFile(name, target, ...rest) : ts.createSourceFile(name, code, target)
  }
  host.getCurrentDirectory = () => root
  return ts.createProgram([...virtual.keys()], options, host)
}

/** What the compiler says of one block, with the page's own line numbers. */
export function faults(compiled: ts.Program, block: Block): string[] {
  const file = compiled.getSourceFile(fileOf(block))
  return ts.getPreEmitDiagnostics(compiled, file).map((diagnostic) => {
    const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n")
    const { line } = ts.getLineAndCharacterOfPosition(
      diagnostic.file ?? ts.createSourceFile("", "", ts.ScriptTarget.ES2022),
      diagnostic.start ?? 0,
    )
    return `${block.page}:${block.line + line}: ${text}`
  })
}

/** The names of the members of an exported interface. */
export const membersOf = (compiled: ts.Program, file: string, name: string): string[] =>
  compiled
    .getTypeChecker()
    .getPropertiesOfType(exportedType(compiled, file, name))
    .map((member) => member.name)

/** The texts of an exported union of texts, or those that one member has in an exported union of objects. */
export function textsOf(compiled: ts.Program, file: string, name: string, member?: string): string[] {
  const exported = exportedType(compiled, file, name)
  const property = member === undefined ? undefined : exported.getProperty(member)
  const type = property ? compiled.getTypeChecker().getTypeOfSymbol(property) : exported
  const parts = type.isUnion() ? type.types : [type]
  return parts.flatMap((part) => (part.isStringLiteral() ? part.value : []))
}

function exportedType(compiled: ts.Program, file: string, name: string): ts.Type {
  const source = compiled.getSourceFile(join(root, file))
  const checker = compiled.getTypeChecker()
  const symbol = source && checker.getSymbolAtLocation(source)
  const found = symbol && checker.getExportsOfModule(symbol).find((exported) => exported.name === name)
  if (!found) throw new Error(`${file} exports no ${name}`)
  return checker.getDeclaredTypeOfSymbol(found)
}
