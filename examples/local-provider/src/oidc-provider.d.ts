// oidc-provider ships no types; this is the part of it that is used here.
declare module "oidc-provider" {
  import type { EventEmitter } from "node:events"
  import type { IncomingMessage, ServerResponse } from "node:http"

  export interface Grant {
    addOIDCScope(scope: string): void
    save(): Promise<string>
  }

  export interface Context {
    type: string
    body: unknown
    status: number
    oidc: {
      route: string
      params: Record<string, string | undefined>
      client: { clientId: string; clientName?: string; tokenEndpointAuthMethod: string }
      session: { accountId?: string; grantIdFor(clientId: string): string | undefined }
      result?: { consent?: { grantId?: string } }
      requestParamScopes: Set<string>
      entities: { AuthorizationCode?: { codeChallenge?: string; accountId?: string } }
    }
  }

  export interface Interaction {
    uid: string
    prompt: { name: string }
    params: Record<string, string | undefined>
  }

  export const interactionPolicy: {
    base(): { get(prompt: string): { checks: { remove(check: string): void } } }
  }

  export class Provider extends EventEmitter {
    constructor(issuer: string, configuration: Record<string, unknown>)
    readonly Grant: {
      new (properties: { clientId: string; accountId: string }): Grant
      find(id: string): Promise<Grant | undefined>
    }
    callback(): (request: IncomingMessage, response: ServerResponse) => void
    interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<Interaction>
    interactionFinished(
      request: IncomingMessage,
      response: ServerResponse,
      result: { login: { accountId: string; remember: boolean } },
    ): Promise<void>
  }
}

declare module "oidc-provider/lib/adapters/memory_adapter.js" {
  export function createMemoryAdapter(): (model: string) => unknown
}
