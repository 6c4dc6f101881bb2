-- Appends one entry and publishes its live copy. Returns its place as
-- "EPOCH OFFSET PREV", at a repetition that of the first time.
--
-- KEYS: counter, stream, id
-- ARGV: 1 epoch if a new log begins, 2 run id of this server, 3 entries to keep,
--   4 TTL of entries in ms (0: none), 5 TTL of the counter in ms, 6 payload,
--   7 channel, 8 PUBLISH or SPUBLISH, 9 memory of ids in ms
local known = redis.call('GET', KEYS[3])
if known then
  -- It is also a write, so that a WAIT behind it waits for what it found.
  redis.call('PEXPIRE', KEYS[3], ARGV[9])
  return known
end

-- e: epoch, n: offset of the newest entry, r: run id of the server that gave it
local counter = redis.call('HMGET', KEYS[1], 'e', 'n', 'r')
local epoch, prev = counter[1], counter[2]
if not epoch then
  epoch, prev = ARGV[1], '0'
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'e', epoch, 'n', prev, 'r', ARGV[2])
elseif ARGV[2] ~= '' and counter[3] ~= ARGV[2] then
  -- Another server, or a restarted one, may have lost the newest entries. Their
  -- offsets are not given again: who has seen them would take the new entries
  -- for the lost ones.
  redis.call('HSET', KEYS[1], 'r', ARGV[2])
  if prev ~= '0' then
    redis.call('HINCRBY', KEYS[1], 'n', 1000000)
  end
end
redis.call('HINCRBY', KEYS[1], 'n', 1)
local offset = redis.call('HGET', KEYS[1], 'n') -- as text: a Lua number would be rounded

local dies = '0'
if ARGV[4] ~= '0' then
  local now = redis.call('TIME')
  dies = string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[4])
end
redis.call('XADD', KEYS[2], 'MAXLEN', '=', ARGV[3], offset .. '-0', 'p', prev, 'x', dies, 'd', ARGV[6])
if ARGV[4] ~= '0' then
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
else
  redis.call('PERSIST', KEYS[2])
  redis.call('PERSIST', KEYS[1])
end

local place = epoch .. ' ' .. offset .. ' ' .. prev
redis.call('SET', KEYS[3], place, 'PX', ARGV[9])
redis.call(ARGV[8], ARGV[7], 'l' .. place .. '\n' .. ARGV[6])
return place
