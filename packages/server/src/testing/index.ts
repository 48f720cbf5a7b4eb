export { startFakeProvider } from "./provider.js"
export type {
  DraftToken,
  EndpointFault,
  FakeClient,
  FakeEndpoint,
  FakeFaults,
  FakeGrant,
  FakeProvider,
  FakeProviderOptions,
  FakeRefreshTokens,
  FakeRequest,
  FinishedLogin,
} from "./provider-types.js"
export { type ConformanceCase, type ConformanceSubject, storeConformance } from "./store-conformance.js"
