-- Drop what waits to be told to the back end of an application that is gone.
-- Keys, all below the prefix P:
--   P:w:in, P:w:held, P:w:apps, P:w:e:<app>, P:w:n, P:w:due   as in webhook_advance.lua
--   P:w:l:<target>, P:w:q:<lane>, P:w:tries                   as in webhook_take.lua
-- ARGV: P, app
-- Answers: how much was dropped
local p, app = ARGV[1], ARGV[2]
local function is_its(what) return string.match(what, '^[^ ]+ ([^ ]+)') == app end
local entries = redis.call('LRANGE', p .. ':w:in', 0, -1)
local kept, found = {}, 0
for _, entry in ipairs(entries) do
  if is_its(string.match(entry, '^%d+ [^ ]+ (.*)$') or '') then
    found = found + 1
  else
    kept[#kept + 1] = entry
  end
end
if found > 0 then
  redis.call('DEL', p .. ':w:in')
  for _, entry in ipairs(kept) do redis.call('RPUSH', p .. ':w:in', entry) end
end
for _, what in ipairs(redis.call('ZRANGE', p .. ':w:held', 0, -1)) do
  if is_its(what) then found = found + redis.call('ZREM', p .. ':w:held', what) end
end
local waiting = redis.call('LLEN', p .. ':w:e:' .. app)
redis.call('DEL', p .. ':w:e:' .. app)
redis.call('ZREM', p .. ':w:apps', app)
for _, target in ipairs(redis.call('ZRANGE', p .. ':w:due', 0, -1)) do
  if string.match(target, '^[^ ]+') == app then
    for _, lane in ipairs(redis.call('ZRANGE', p .. ':w:l:' .. target, 0, -1)) do
      waiting = waiting + redis.call('LLEN', p .. ':w:q:' .. lane)
      redis.call('DEL', p .. ':w:q:' .. lane)
      redis.call('HDEL', p .. ':w:tries', lane)
    end
    redis.call('DEL', p .. ':w:l:' .. target)
    redis.call('ZREM', p .. ':w:due', target)
  end
end
if waiting > 0 then redis.call('DECRBY', p .. ':w:n', waiting) end
return found + waiting
