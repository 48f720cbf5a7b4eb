// Constant texts: what a script works on stands in the attributes of elements, so that nothing is ever inserted into one.
// In the language of 2015, for web views as old as their phones.

/** Goes where the button leads. The page is replaced: going back shows no handoff and asks for no second one. */
export const JUMP = 'location.replace(document.querySelector("a").href)'

/**
 * J2, J3: posts the message once, to the first that listens: the window or frame of the origin that the login named, never
 * `*`; else the bridge of React Native, of WebKit, or of an Android message listener.
 */
export const MESSAGE = `(() => {
const text = document.currentScript.dataset.message
const origin = document.currentScript.dataset.origin
const page = origin && (window.opener || window.parent)
const native = window.webkit && webkit.messageHandlers && webkit.messageHandlers.pkce
if (page && page !== window) page.postMessage(JSON.parse(text), origin)
else if (window.ReactNativeWebView) ReactNativeWebView.postMessage(text)
else if (native) native.postMessage(JSON.parse(text))
else if (window.pkce) pkce.postMessage(text)
})()`
