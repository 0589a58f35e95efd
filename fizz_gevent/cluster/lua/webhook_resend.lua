-- Put a request that was given up in line once more.
-- Keys, all below the prefix P:
--   P:w:due, P:w:l:<target>, P:w:q:<lane>, P:w:n, P:w:failed   as in webhook_end.lua
-- ARGV: P, what stands in the list, target, lane, the request as it is now, or '' for none
-- Answers: 1 done, 0 where somebody else has done it
local p, target, lane = ARGV[1], ARGV[3], ARGV[4]
if redis.call('LREM', p .. ':w:failed', -1, ARGV[2]) == 0 then return 0 end
if ARGV[5] == '' then return 1 end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
if redis.call('RPUSH', p .. ':w:q:' .. lane, ARGV[5]) == 1 then
  redis.call('ZADD', p .. ':w:l:' .. target, now, lane)
  redis.call('ZADD', p .. ':w:due', 'LT', now, target)
end
redis.call('INCR', p .. ':w:n')
return 1
