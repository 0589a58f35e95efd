-- Put requests in the place of the events that they were made of.
-- Keys, all below the prefix P:
--   P:w:maker         string: the node that makes requests of events now
--   P:w:apps, P:w:e:<app>, P:w:n, P:w:due   as in webhook_advance.lua
--   P:w:l:<target>    sorted set: lane -> when its first request is due
--   P:w:q:<lane>      list: requests, each begins with its id
-- ARGV: P, node, how many applications; for each of them its id and how many events; then for each
--       request its target, its lane, the request
-- Answers: 1 done, 0 where the node took too long
local p = ARGV[1]
if redis.call('GET', p .. ':w:maker') ~= ARGV[2] then return 0 end
redis.call('DEL', p .. ':w:maker')
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local change, i = 0, 4
for _ = 1, tonumber(ARGV[3]) do
  local app, count = ARGV[i], tonumber(ARGV[i + 1])
  local events = p .. ':w:e:' .. app
  change = change - math.min(count, redis.call('LLEN', events))
  redis.call('LTRIM', events, count, -1)
  local first = redis.call('LINDEX', events, 0)
  if first then
    redis.call('ZADD', p .. ':w:apps', string.match(first, '^%d+'), app)
  else
    redis.call('ZREM', p .. ':w:apps', app)
  end
  i = i + 2
end
while i < #ARGV do
  local target, lane = ARGV[i], ARGV[i + 1]
  if redis.call('RPUSH', p .. ':w:q:' .. lane, ARGV[i + 2]) == 1 then
    redis.call('ZADD', p .. ':w:l:' .. target, now, lane)
    redis.call('ZADD', p .. ':w:due', 'LT', now, target)
  end
  change = change + 1
  i = i + 3
end
redis.call('INCRBY', p .. ':w:n', change)
return 1
