/** The words of the hosted login's page. Plain text; `{app}`, `{provider}` and `{device}` are filled in. */
export const ENGLISH = {
  /** Poll delivery, before anything is granted. */
  confirmTitle: "Log in on {device}?",
  confirmText:
    "Somebody wants to log in to {app} on this device. Go on only if that is you, and the app shows this code:",
  confirmButton: "Yes, log in",
  confirmWarning: "If somebody sent you this link, close this page: they would be logged in as you.",
  unknownDevice: "another device",
  leavingTitle: "Going to {provider}",
  leavingText: "Your browser is being sent to the login.",
  leavingButton: "Continue",
  returnTitle: "You are logged in",
  returnText: "Go back to {app}.",
  returnButton: "Back to the app",
  doneTitle: "You are logged in",
  doneText: "You may close this window and go back to {app}.",
  failedTitle: "The login did not work",
  failedText: "Go back to {app} and try again.",
  deniedText: "The login was cancelled.",
  expiredText: "This login is over. Go back to {app} and begin again.",
  unavailableText: "The login cannot be reached just now. Try again in a moment.",
  errorId: "Error",
  app: "the app",
}

export type PageStrings = typeof ENGLISH
