/// <reference path="./oidc-provider.d.ts" />

/**
 * Loads oidc-provider without the notice that it prints on Node 20 (where it runs, as the tests here show). Only that
 * line is held back, and only while the module loads.
 */
export async function loadProvider() {
  const { warn } = console
  console.warn = (...args: unknown[]) => {
    if (!String(args[0]).includes("Unsupported runtime")) warn(...args)
  }
  try {
    const { Provider, interactionPolicy } = await import("oidc-provider")
    const { createMemoryAdapter } = await import("oidc-provider/lib/adapters/memory_adapter.js")
    return { Provider, createMemoryAdapter, interactionPolicy }
  } finally {
    console.warn = warn
  }
}
