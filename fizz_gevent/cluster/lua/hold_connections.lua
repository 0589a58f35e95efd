-- How many connections of an application a node has now, within the application's quota.
-- Keys, all below the prefix P:
--   P:nodes        hash: node -> heartbeat
--   P:c            hash: app -> connections in the cluster
--   P:h:<node>:c   hash: app -> connections of this node
-- ARGV: P, node, app, count, quota or ''
-- Answers: nothing where the node is not known; 1 done or 0 over the quota; the cluster's count
local p, node, app, count = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if redis.call('HEXISTS', p .. ':nodes', node) == 0 then return false end
local held = p .. ':h:' .. node .. ':c'
local delta = count - tonumber(redis.call('HGET', held, app) or '0')
local total = tonumber(redis.call('HGET', p .. ':c', app) or '0')
if ARGV[5] ~= '' and delta > 0 and total + delta > tonumber(ARGV[5]) then return {0, total} end
if delta ~= 0 then
  total = total + delta
  if total > 0 then redis.call('HSET', p .. ':c', app, total) else redis.call('HDEL', p .. ':c', app) end
end
if count > 0 then redis.call('HSET', held, app, count) else redis.call('HDEL', held, app) end
return {1, total}
