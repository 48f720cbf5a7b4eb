import type { ProviderMetadata } from "../config/options.js"
import type { Emit } from "../events.js"
import type { DocumentLoader } from "./documents.js"
import { createKeySource, type KeySource } from "./keys.js"
import { createMetadataSource, type MetadataOptions } from "./metadata.js"

/** What is known of one issuer: its metadata, and the keys at the metadata's `jwks_uri`. */
export interface IssuerSource {
  /** Throws `ProviderError`, never spent. */
  get(): Promise<{ metadata: ProviderMetadata; keys: KeySource }>
}

export function createIssuerSource(
  options: MetadataOptions,
  documents: DocumentLoader,
  emit: Emit,
  now: () => number,
): IssuerSource {
  const source = createMetadataSource(options, documents, emit, now)
  let keys: { uri: string; source: KeySource } | undefined

  return {
    async get() {
      const metadata = await source.get()
      // D8: keys belong to this issuer at this address; at a new address nothing of the old set remains.
      if (keys?.uri !== metadata.jwks_uri) {
        const uri = metadata.jwks_uri
        keys = { uri, source: createKeySource(uri, documents, emit, options.id, now) }
      }
      return { metadata, keys: keys.source }
    },
  }
}
