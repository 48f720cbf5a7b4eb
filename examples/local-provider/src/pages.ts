const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

const page = (title: string, body: string) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>
  :root { color-scheme: light dark; --ink: #1c1a2e; --soft: #67637c; --card: #fff; --line: #dcd8e8; --accent: #5b3df5;
    --ground: radial-gradient(60rem 40rem at 15% -10%, #dcd3ff, transparent), radial-gradient(50rem 40rem at 110% 110%, #ffe3d0, transparent), #f6f4fb }
  @media (prefers-color-scheme: dark) {
    :root { --ink: #f1eefc; --soft: #a49fbd; --card: #1b1830; --line: #37324f; --accent: #a594ff;
      --ground: radial-gradient(60rem 40rem at 15% -10%, #352a75, transparent), radial-gradient(50rem 40rem at 110% 110%, #4d2a2a, transparent), #100e1d }
  }
  * { box-sizing: border-box }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--ground);
    color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif }
  main { width: min(24rem, 100%); background: var(--card); border: 1px solid var(--line); border-radius: 1.25rem;
    padding: 2.25rem 2rem; box-shadow: 0 1.5rem 4rem -2rem #2b1f6b66 }
  .mark { width: 2.75rem; height: 2.75rem; border-radius: .9rem; display: grid; place-items: center; color: #fff;
    background: linear-gradient(135deg, #7a5cff, #4a2be0); margin-bottom: 1.25rem }
  h1 { font-size: 1.4rem; line-height: 1.25; letter-spacing: -.015em; margin: 0 0 .35rem; text-wrap: balance }
  p { margin: 0 0 1.5rem; color: var(--soft); font-size: .925rem }
  p:last-child { margin: 1.25rem 0 0; font-size: .8rem }
  label { display: block; font-size: .85rem; font-weight: 600; margin-bottom: .4rem }
  input, button { width: 100%; font: inherit; padding: .75rem .9rem; border-radius: .75rem; border: 1px solid var(--line) }
  input { background: transparent; color: inherit; margin-bottom: 1rem }
  input:focus-visible, button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
  button { background: #5b3df5; color: #fff; border-color: transparent; font-weight: 600; cursor: pointer }
  button:hover { background: #4c2fe0 }
  code { font-size: .85em; overflow-wrap: anywhere }
</style>
<main>
<div class="mark" aria-hidden="true"><svg width="22" height="22" viewBox="0 0 24 24" fill="none" stroke="currentColor"
  stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round"><circle cx="8" cy="15" r="4.5"/><path d="m11.5 11.5 8-8m-3 3 3 3"/></svg></div>
${body}
</main>
</html>`

export const loginPage = (details: { client: string; hint: string; problem: string }) =>
  page(
    "Sign in",
    `<h1>Sign in to continue to ${escapeHtml(details.client)}</h1>
<p>${escapeHtml(details.problem || "A real OpenID Provider on your own machine. Any name will do, no password.")}</p>
<form method="post" autocomplete="off">
  <label for="user">User name</label>
  <input id="user" name="user" value="${escapeHtml(details.hint)}" placeholder="Ada Lovelace" maxlength="64" required autofocus spellcheck="false">
  <button>Sign in</button>
</form>
<p>What is typed here never passes through the app.</p>`,
  )

/** OpenID Connect RP-Initiated Logout 1.0 lets the provider ask first; this one goes ahead. */
export const logoutPage = (form: string) =>
  page(
    "Signing out",
    `<h1>Signing you out…</h1>${form}
<button form="op.logoutForm" name="logout" value="yes">Sign out</button>
<script>document.querySelector("button").click()</script>`,
  )

export const signedOutPage = () =>
  page("Signed out", "<h1>You are signed out</h1><p>You may close this page.</p>")

export const errorPage = (error: string, description: string) =>
  page(
    "That did not work",
    `<h1>That did not work</h1><p>${escapeHtml(description)}</p><code>${escapeHtml(error)}</code>`,
  )
