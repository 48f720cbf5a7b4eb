// node-oidc-provider ships no types; this is what the tests use of it.
declare module "oidc-provider" {
  import type { IncomingMessage, ServerResponse } from "node:http"

  export class Provider {
    constructor(issuer: string, configuration: Configuration)
    callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>
    interactionFinished(request: IncomingMessage, response: ServerResponse, result: object): Promise<void>
    Grant: new (of: {
      clientId: string
      accountId: string
    }) => { addOIDCScope(scope: string): void; save(): Promise<string> }
  }

  export interface Context {
    oidc: { provider: Provider; client?: { clientId: string }; session?: { accountId?: string } }
  }

  export interface Configuration {
    interactions?: { url(context: Context, interaction: { uid: string }): string }
    findAccount?(
      context: Context,
      id: string,
    ): { accountId: string; claims(): { sub: string; [claim: string]: unknown } }
    loadExistingGrant?(context: Context): Promise<unknown>
    [option: string]: unknown
  }
}
