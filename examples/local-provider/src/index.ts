export { createClock } from "./clock.js"
export type { ProviderEvent } from "./events.js"
export { createHeadlessBrowser, type HeadlessBrowser, logInHeadless, type Page } from "./headless.js"
export { type LocalProvider, type LocalProviderOptions, startLocalProvider } from "./provider.js"
