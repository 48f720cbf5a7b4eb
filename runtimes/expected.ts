import { expect } from "vitest"

/** What `story` of app.ts tells, wherever the app and the backend ran. */
export function expectStory(text: string): void {
  expect(text).toMatch(/^\{/)
  const welcome = [200, { user: { sub: expect.stringMatching(/^[\w-]{43}$/) }, access_token_works: true }]
  expect(JSON.parse(text)).toEqual({
    login: "signed_in",
    api: [welcome, welcome, [401, null]],
    refreshes: [2, 1],
    restored: [true, false],
  })
}
