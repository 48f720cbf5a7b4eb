/**
 * For tests of an app, and our own: the real client on a device, a clock, a storage and a backend that fail whenever a test
 * wants them to.
 *
 * @packageDocumentation
 */
export { answer, refusal, type Seen } from "./answers.js"
export { type FakeBackend, type Fault, fakeBackend, ISSUER, provider } from "./backend.js"
export { type FakeClock, fakeClock } from "./clock.js"
export { fakeDevice, honest, REDIRECT } from "./device.js"
export type { HostedMessage, HostedReturn } from "./hosted.js"
export { type MswHttp, mswHandlers } from "./msw.js"
export { type FakeStorage, fakeStorage } from "./storage.js"
