-- Reads entries. Returns epoch, offset of the newest entry, the time in ms, and
-- the entries. A log that does not exist begins with this, so that it has an
-- epoch.
--
-- KEYS: counter, stream
-- ARGV: 1 epoch if a new log begins, 2 TTL of its counter in ms, 3 offset behind
--   which to begin, 4 limit
local counter = redis.call('HMGET', KEYS[1], 'e', 'n')
if not counter[1] then
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'e', ARGV[1], 'n', '0')
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  counter = {ARGV[1], '0'}
end
local entries = {}
if ARGV[4] ~= '0' then
  entries = redis.call('XRANGE', KEYS[2], '(' .. ARGV[3] .. '-0', '+', 'COUNT', ARGV[4])
end
local now = redis.call('TIME')
return {counter[1], counter[2], string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000)), entries}
