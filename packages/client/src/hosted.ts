export { type HostedOptions, hosted, type UserCode } from "./login/hosted-flow.js"
export {
  type BridgePort,
  messageWindow,
  type WebViewGuard,
  type WebViewLike,
  webView,
} from "./platforms/bridge.js"
