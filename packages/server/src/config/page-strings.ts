export const ENGLISH = {
  /** Poll delivery, before anything is granted. */
  confirmTitle: "Log in on {device}?",
  confirmText: "Go on only if you started this login to {app} yourself, and see this code on that device:",
  confirmWarning: "Did someone send you this link? Then close this page: going on would log them in as you.",
  confirmButton: "Yes, log in",
  unknownDevice: "another device",
  leavingTitle: "Taking you to {provider}",
  leavingText: "If nothing happens, press the button.",
  leavingButton: "Continue",
  returnTitle: "You are logged in",
  returnText: "This page takes you back to {app}. If it does not, press the button.",
  returnButton: "Open {app}",
  doneTitle: "You are logged in",
  doneText: "You can close this page and go back to {app}.",
  failedTitle: "The login did not work",
  failedText: "Go back to {app} and try again.",
  deniedText: "The login was cancelled. You can start again in {app}.",
  expiredText: "This login has ended. Go back to {app} and start again.",
  unavailableText: "The login service is not answering just now. Please try again in a moment.",
  /** Before the number that helps the team to find what went wrong. */
  errorId: "Error code",
  app: "the app",
}

/**
 * The words of the hosted login's page, by name. Plain text; `{app}`, `{provider}` and `{device}` are filled in.
 *
 * @example
 * ```ts
 * const german: Partial<PageStrings> = { confirmTitle: "Auf {device} anmelden?", confirmButton: "Ja, anmelden" }
 * ```
 */
export type PageStrings = typeof ENGLISH
