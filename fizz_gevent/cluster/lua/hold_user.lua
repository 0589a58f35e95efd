-- On how many connections a user is signed in at a node now.
-- Keys, all below the prefix P:
--   P:nodes        hash: node -> heartbeat
--   P:u:<app>      hash: user -> signed-in connections in the cluster
--   P:v:<app>:<user>   string: the user has left, and still counts as online until this expires
--   P:h:<node>:u   hash: "<app> <user>" -> signed-in connections of this node
-- Channel: P:all, told where the user came online or went offline
-- ARGV: P, node, app, user, count, milliseconds that a user who has left still counts as online
-- Answers: nothing where the node is not known; 1 where the user came or went, else 0
local p, node, app, user, count = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
if redis.call('HEXISTS', p .. ':nodes', node) == 0 then return false end
local totals, held, field = p .. ':u:' .. app, p .. ':h:' .. node .. ':u', app .. ' ' .. user
local before = tonumber(redis.call('HGET', totals, user) or '0')
local total = before + count - tonumber(redis.call('HGET', held, field) or '0')
if count > 0 then redis.call('HSET', held, field, count) else redis.call('HDEL', held, field) end
if total > 0 then redis.call('HSET', totals, user, total) else redis.call('HDEL', totals, user) end
if (before > 0) == (total > 0) then return {0} end
local sign, left = '-', p .. ':v:' .. app .. ':' .. user
if total > 0 then
  sign = '+'
  redis.call('DEL', left)
else
  redis.call('SET', left, 1, 'PX', ARGV[6])
end
redis.call('PUBLISH', p .. ':all', 'U ' .. sign .. ' ' .. app .. '\n' .. user)
return {1}
