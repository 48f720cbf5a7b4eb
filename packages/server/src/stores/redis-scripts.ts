import { createHash } from "node:crypto"
import { codeOf } from "./redis-row.js"
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
local FORMAT = '>BI6I6I6I6I6I6I6BI4I6I6Hc0Bc0Hc0Hc0Hc0'
local function load()
  local raw = redis.call('GET', KEYS[1])
  if not raw then return nil end
  local row, version = {}, nil
  version, row.gen, row.rev, row.created, row.seen, row.idle, row.absolute, row.revoked,
    row.state, row.lease, row.leased, row.due,
    row.history, row.cur, row.sub, row.reason, row.about, row.sealed = struct.unpack(FORMAT, raw)
  if version ~= 1 then error('a session of version ' .. version .. ', which this release cannot read') end
  if now >= row.absolute + ${RETENTION} then return nil end
  row.sealed = string.sub(raw, row.sealed)
  row.live = row.revoked == 0 and now < row.idle and now < row.absolute
  return row, raw
end
local function dueAfter(seconds) return seconds == '' and 0 or now + tonumber(seconds) end
local function save(row, ...)
  local raw = struct.pack(FORMAT, 1, row.gen, row.rev, row.created, row.seen, row.idle, row.absolute,
    row.revoked, row.state, row.lease, row.leased, row.due,
    #row.history, row.history, #row.cur, row.cur, #row.sub, row.sub,
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
  absolute = now + absolute, revoked = 0, rev = tonumber(ARGV[5]),
  state = ${codeOf("ok")}, lease = 0, leased = 0, due = dueAfter(ARGV[6]),
  history = ARGV[7], cur = ARGV[8], sub = ARGV[9], reason = '', about = ARGV[10], sealed = ARGV[11],
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
row.revoked, row.reason, row.sealed, row.due = now, ARGV[2], '', 0
save(row, 'KEEPTTL')
redis.pcall('PUBLISH', ARGV[4], ARGV[5])
return 1
`

/** H2: what is written before the provider is called, by what was found. Nothing else can be leased. */
const LEASE = `
local INTENT = {
  [${codeOf("ok")}] = ${codeOf("uncertain")}, [${codeOf("refused")}] = ${codeOf("uncertain")},
  [${codeOf("uncertain")}] = ${codeOf("retried")}, [${codeOf("retried")}] = ${codeOf("retried")},
}
local row, raw = load()
if not row then return { now, 'missing' } end
local before = row.state
local hasGrant = row.live and string.byte(row.sealed, 5) == 1
if not hasGrant or row.rev ~= tonumber(ARGV[2]) or now < row.leased or not INTENT[before] then
  return { now, 'refused', raw }
end
row.state, row.lease, row.leased = INTENT[before], row.lease + 1, now + tonumber(ARGV[3])
return { now, 'leased', save(row, 'KEEPTTL'), before }
`

// R14: whoever overslept its lease is refused while another runs, and after another has saved.
const SEAL = `
local row, raw = load()
if not row then return { now, 'missing' } end
local fenced = row.lease ~= tonumber(ARGV[3]) and now < row.leased
if not row.live or row.rev ~= tonumber(ARGV[2]) or fenced then return { now, 'refused', raw } end
row.state, row.due, row.leased = tonumber(ARGV[4]), dueAfter(ARGV[5]), 0
local newGrant, newProfile = string.find(ARGV[6], 'g'), string.find(ARGV[6], 'p')
if newGrant or newProfile then
  local length, has, from = struct.unpack('>I4B', row.sealed)
  local profile, grant = string.sub(row.sealed, from, from + length - 1), string.sub(row.sealed, from + length)
  if newGrant then has, grant, row.rev = 1, ARGV[7], row.rev + 1 end
  if newProfile then profile = ARGV[8] end
  row.sealed = struct.pack('>I4B', #profile, has) .. profile .. grant
end
return { now, 'sealed', save(row, 'KEEPTTL') }
`

/** Sessions of one owner, scored by when their rows are gone. The key lives as long as the last of them. */
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

/**
 * An entry of the due index, at the due time or before it. It moves with every call, if only by a second: a reader that saw
 * it before this, and the row as it was before the write that follows, finds it moved and leaves it alone (AMEND). A few
 * entries that were due longer ago than a session lives go: perhaps nobody ever asks what is due.
 */
const SCHEDULE = `
local due, kept = now + tonumber(ARGV[3]), tonumber(ARGV[4])
local old = redis.call('ZSCORE', KEYS[1], ARGV[2])
if old then due = math.min(due, tonumber(old) - 1) end
local gone = '(' .. integer(now - kept)
for _, sid in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', gone, 'LIMIT', 0, ARGV[5])) do
  redis.call('ZREM', KEYS[1], sid)
end
redis.call('ZADD', KEYS[1], integer(due), ARGV[2])
local ttl = tonumber(ARGV[3]) + kept
if redis.call('TTL', KEYS[1]) < ttl then redis.call('EXPIRE', KEYS[1], integer(ttl)) end
return now
`

const DUE = `
local last = integer(now + tonumber(ARGV[2]))
return { now, redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', last, 'WITHSCORES', 'LIMIT', ARGV[3], ARGV[4]) }
`

/** Puts an entry right, or away, unless it has moved since it was read. */
const AMEND = `
if redis.call('ZSCORE', KEYS[1], ARGV[2]) ~= ARGV[3] then return 0 end
if ARGV[4] == '' then return redis.call('ZREM', KEYS[1], ARGV[2]) end
redis.call('ZADD', KEYS[1], ARGV[4], ARGV[2])
return 1
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

const PEEK = `
local value = held()
return value or false
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
  lease: script(CLOCK, ROW, LEASE),
  seal: script(CLOCK, ROW, SEAL),
  enlist: script(CLOCK, ENLIST),
  listed: script(CLOCK, LISTED),
  schedule: script(CLOCK, SCHEDULE),
  due: script(CLOCK, DUE),
  amend: script(CLOCK, AMEND),
  claim: script(CLOCK, ONCE, CLAIM),
  peek: script(CLOCK, ONCE, PEEK),
  settle: script(CLOCK, ONCE, SETTLE),
  release: script(CLOCK, ONCE, RELEASE),
  take: script(CLOCK, ONCE, TAKE),
}
