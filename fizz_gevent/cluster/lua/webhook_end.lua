-- Say how a request ended that was handed out.
-- Keys, all below the prefix P:
--   P:w:due, P:w:l:<target>, P:w:q:<lane>, P:w:tries, P:w:n   as in webhook_take.lua
--   P:w:failed   list: requests that were given up, the latest first: "<ms> <why>\n<request>"
-- ARGV: P, target, lane, the request's id, milliseconds until it is to be made again or '' for not
--       at all, why it was given up or '', most requests to keep of those that were
-- Answers: 1 done, 0 where somebody else has ended it
local p, target, lane = ARGV[1], ARGV[2], ARGV[3]
local queue, lanes = p .. ':w:q:' .. lane, p .. ':w:l:' .. target
local request = redis.call('LINDEX', queue, 0)
if not request or string.sub(request, 1, #ARGV[4] + 1) ~= ARGV[4] .. ' ' then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number) return string.format('%.0f', number) end
if ARGV[5] ~= '' then
  redis.call('HINCRBY', p .. ':w:tries', lane, 1)
  redis.call('ZADD', lanes, text(now + tonumber(ARGV[5])), lane)
else
  redis.call('LPOP', queue)
  redis.call('HDEL', p .. ':w:tries', lane)
  redis.call('DECR', p .. ':w:n')
  if ARGV[6] ~= '' then
    redis.call('LPUSH', p .. ':w:failed', text(now) .. ' ' .. ARGV[6] .. '\n' .. request)
    redis.call('LTRIM', p .. ':w:failed', 0, tonumber(ARGV[7]) - 1)
  end
  if redis.call('LLEN', queue) > 0 then
    redis.call('ZADD', lanes, text(now), lane)
  else
    redis.call('ZREM', lanes, lane)
  end
end
local first = redis.call('ZRANGE', lanes, 0, 0, 'WITHSCORES')
if #first > 0 then
  redis.call('ZADD', p .. ':w:due', first[2], target)
else
  redis.call('ZREM', p .. ':w:due', target)
end
return 1
