import { createHash } from "node:crypto"
import { RETENTION } from "./rows.js"

/** Every script touches one key, so that a cluster can run it where that key lives. */
export interface Script {
  text: string
  sha1: string
}

const script = (...parts: string[]): Script => {
  const text = parts.join("\n")
  return { text, sha1: createHash("sha1").update(text).digest("hex") }
}

/** `ARGV[1]` is empty, or the time of a test. The server's clock stands still while a script runs. */
const CLOCK = `
local now = tonumber(ARGV[1]) or tonumber(redis.call('TIME')[1])
local function integer(n) return string.format('%.0f', n) end
`

/**
 * A session is one string: what a script must judge or change comes first, by fields of its own; the rest is for
 * redis-row.ts alone. A hash with these fields would take half as much again.
 */
const ROW = `
local FORMAT = '>BI6I6I6I6I6I6I6Hc0Bc0Hc0Hc0Hc0'
local function load()
  local raw = redis.call('GET', KEYS[1])
  if not raw then return nil end
  local row, version = {}, nil
  version, row.gen, row.rev, row.created, row.seen, row.idle, row.absolute, row.revoked,
    row.history, row.cur, row.sub, row.reason, row.about, row.sealed = struct.unpack(FORMAT, raw)
  if version ~= 1 then error('a session of version ' .. version .. ', which this release cannot read') end
  if now >= row.absolute + ${RETENTION} then return nil end
  row.sealed = string.sub(raw, row.sealed)
  row.live = row.revoked == 0 and now < row.idle and now < row.absolute
  return row, raw
end
local function save(row, ...)
  local raw = struct.pack(FORMAT, 1, row.gen, row.rev, row.created, row.seen, row.idle, row.absolute,
    row.revoked, #row.history, row.history, #row.cur, row.cur, #row.sub, row.sub,
    #row.reason, row.reason, #row.about, row.about) .. row.sealed
  redis.call('SET', KEYS[1], raw, ...)
  return raw
end
`

const CREATE = `
local _, taken = load()
if taken then return { now, 'exists', taken } end
if now > tonumber(ARGV[2]) then return { now, 'late' } end
local absolute = tonumber(ARGV[4])
local row = {
  gen = 0, created = now, seen = now, idle = now + math.min(tonumber(ARGV[3]), absolute),
  absolute = now + absolute, revoked = 0, rev = tonumber(ARGV[5]), history = ARGV[6], cur = ARGV[7],
  sub = ARGV[8], reason = '', about = ARGV[9], sealed = ARGV[10],
}
return { now, 'created', save(row, 'EX', integer(absolute + ${RETENTION})) }
`

const ADVANCE = `
local row, raw = load()
if not row then return { now, 'missing' } end
if not row.live or row.gen ~= tonumber(ARGV[2]) or row.cur ~= ARGV[3] then return { now, 'refused', raw } end
row.gen, row.cur = tonumber(ARGV[4]), ARGV[5]
row.seen, row.idle = math.max(row.seen, now), math.min(now + tonumber(ARGV[6]), row.absolute)
local offset = tonumber(ARGV[8])
if offset then
  row.history = string.sub(row.history, 1, offset) .. ARGV[7] .. string.sub(row.history, offset + #ARGV[7] + 1)
else
  row.history = ARGV[7]
end
return { now, 'advanced', save(row, 'KEEPTTL') }
`

const FIND = `
local _, raw = load()
return { now, raw and 'found' or 'missing', raw }
`

// A listener is a convenience: an account that may not publish must still be able to end a session.
const REVOKE = `
local row = load()
if not row or not row.live or (ARGV[3] ~= '' and row.sub ~= ARGV[3]) then return 0 end
row.revoked, row.reason, row.sealed = now, ARGV[2], ''
save(row, 'KEEPTTL')
redis.pcall('PUBLISH', ARGV[4], ARGV[5])
return 1
`

/** The sessions of a user, scored by when their rows are gone. The key lives as long as the last of them. */
const ENLIST = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', integer(now))
redis.call('ZADD', KEYS[1], integer(now + tonumber(ARGV[2]) + ${RETENTION}), ARGV[3])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('EXPIRE', KEYS[1], integer(tonumber(last[2]) - now))
return now
`

const LISTED = `
return { now, redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. integer(now), '+inf') }
`

const ONCE = `
local function held()
  local raw = redis.call('GET', KEYS[1])
  if not raw then return nil end
  local expires, from = struct.unpack('>I6', raw)
  if now < expires then return string.sub(raw, from), string.sub(raw, 1, from - 1) end
end
`

const CLAIM = `
local value = held()
if value then return { now, 'taken', value } end
redis.call('SET', KEYS[1], struct.pack('>I6', now + tonumber(ARGV[3])) .. ARGV[2], 'EX', ARGV[3])
return { now, 'claimed' }
`

const SETTLE = `
local value, expires = held()
if value ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], expires .. ARGV[3], 'KEEPTTL')
return 1
`

const RELEASE = `
if held() ~= ARGV[2] then return 0 end
return redis.call('DEL', KEYS[1])
`

const TAKE = `
local value = held()
if not value then return false end
redis.call('DEL', KEYS[1])
return value
`

export const SCRIPTS = {
  create: script(CLOCK, ROW, CREATE),
  advance: script(CLOCK, ROW, ADVANCE),
  find: script(CLOCK, ROW, FIND),
  revoke: script(CLOCK, ROW, REVOKE),
  enlist: script(CLOCK, ENLIST),
  listed: script(CLOCK, LISTED),
  claim: script(CLOCK, ONCE, CLAIM),
  settle: script(CLOCK, ONCE, SETTLE),
  release: script(CLOCK, ONCE, RELEASE),
  take: script(CLOCK, ONCE, TAKE),
}
