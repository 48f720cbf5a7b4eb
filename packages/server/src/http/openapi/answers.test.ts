import type * as wire from "@pkce/protocol"
import { expect, expectTypeOf, it } from "vitest"
import type { PkceServer } from "../../server-types.js"
import type * as requests from "../schemas.js"
import { type Answers, answerSchemas } from "./answers.js"

// Judged by the compiler (`npm run types`): a member more, less, or of another type in one of the two is an error there.
it("the schemas of the answers are the protocol's interfaces", () => {
  expectTypeOf<Answers["Grant"]>().toEqualTypeOf<Plain<wire.Grant>>()
  expectTypeOf<Answers["UserInfo"]>().toEqualTypeOf<Plain<wire.UserInfo>>()
  expectTypeOf<Answers["ConfigAnswer"]>().toEqualTypeOf<wire.ConfigAnswer>()
  expectTypeOf<Answers["ConfigProvider"]>().toEqualTypeOf<wire.ConfigProvider>()
  expectTypeOf<Answers["SessionAnswer"]>().toEqualTypeOf<Plain<wire.SessionAnswer>>()
  expectTypeOf<Answers["SessionSummary"]>().toEqualTypeOf<wire.SessionSummary>()
  expectTypeOf<Answers["SessionListAnswer"]>().toEqualTypeOf<wire.SessionListAnswer>()
  expectTypeOf<Answers["LogoutAnswer"]>().toEqualTypeOf<wire.LogoutAnswer>()
  expectTypeOf<Answers["ErrorAnswer"]>().toEqualTypeOf<wire.ErrorAnswer>()
  expectTypeOf<Answers["StartAnswer"]>().toEqualTypeOf<wire.StartAnswer>()
  expectTypeOf<Answers["PendingAnswer"]>().toEqualTypeOf<wire.PendingAnswer>()
  expectTypeOf<Answers["Jwks"]>().toExtend<Awaited<ReturnType<PkceServer["jwks"]>>>()
  expect(Object.keys(answerSchemas())).toHaveLength(12)
})

it("the schemas of the requests are the protocol's interfaces", () => {
  expectTypeOf<Sent<typeof requests.exchangeRequest>>().toEqualTypeOf<wire.ExchangeRequest>()
  expectTypeOf<Sent<typeof requests.refreshRequest>>().toEqualTypeOf<wire.RefreshRequest>()
  expectTypeOf<Sent<typeof requests.logoutRequest>>().toEqualTypeOf<wire.LogoutRequest>()
  expectTypeOf<Sent<typeof requests.startRequest>>().toEqualTypeOf<wire.StartRequest>()
  expectTypeOf<Sent<typeof requests.redeemRequest>>().toEqualTypeOf<wire.RedeemRequest>()
  expectTypeOf<Sent<typeof requests.pollRequest>>().toEqualTypeOf<wire.PollRequest>()
})

/** An intersection as the one object type that it is. */
type Plain<T> = T extends object ? { [Name in keyof T]: Plain<T[Name]> } : T

/** What a schema takes, without the `undefined` that zod adds to what may be left out and JSON does not know. */
type Sent<T extends { _zod: { input: unknown } }> = Defined<T["_zod"]["input"]>
type Defined<T> = T extends object ? { [Name in keyof T]: Defined<Exclude<T[Name], undefined>> } : T
